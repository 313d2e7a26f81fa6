"""Writing files: what cannot be written is told with the file's name, whatever library noticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedmezo.errors import ResourceError


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn errors of writing inside the block into one that names the file.

    Raises:
        ResourceError: it cannot be written.
    """
    from safetensors import SafetensorError  # heavier than what else a configuration error has to wait for

    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ResourceError(
            f"{path}\n    it cannot be written: {reason}; what was recorded before is there for --resume"
        ) from error
