"""Writing files: what cannot be written is told with the file's name, whatever library noticed."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedmezo.core.errors import ConfigurationError, ResourceError

SCRATCH = ".tmp"  # ends the names of what may be removed


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


def check_folder(setting: str, target: Path) -> None:
    """Make sure that a folder can be made, or written to where it is there; nothing is left behind.

    Args:
        setting: what names it, as ``key = value``.
        target: the folder.

    Raises:
        ConfigurationError: a file is in its place, or its name cannot be one.
        ResourceError: it cannot be made or written to.
    """
    # a `..` in what is tried would lead out of the scratch folder
    above = path = Path(os.path.abspath(target))  # noqa: PTH100
    try:
        above = next(each for each in (path, *path.parents) if each.exists())
        if not above.is_dir():
            raise ConfigurationError(f"{setting}\n    expected a folder; {above} is a file")
        with tempfile.TemporaryDirectory(dir=above, suffix=SCRATCH) as scratch:
            (Path(scratch) / path.relative_to(above)).mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise ConfigurationError(f"{setting}\n    this cannot be a folder's name: {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ConfigurationError(f"{setting}\n    this cannot be a folder's name: {error.strerror}") from error
        raise ResourceError(f"{setting}\n    {above}: {error.strerror}") from error
