"""Writing files: whole lines of JSON, folders that can be made, and errors with the file's name."""

import errno
import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Write one line and wait until it is on the disk; a torn line that a crash left before it is dropped."""
    drop_torn_line(path)
    with saving(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def drop_torn_line(path: Path) -> None:
    """Cut off what follows the last end of line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0 or (file.seek(size - 1) and file.read(1) == b"\n"):
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the lines that can be read, [] if there is no file; damaged lines are left out."""
    rows = []
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:  # not JSON, or not UTF-8
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def finite(value: Any) -> Any:
    """Return JSON content with null where a number is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
