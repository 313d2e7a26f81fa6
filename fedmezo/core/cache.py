"""Where downloaded and derived files are kept between runs, by one process at a time, and how they are checked."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fedmezo.core.errors import ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.user import is_writable, temporary_folder


def cache_folder(setting: str = "") -> Path:
    """Return the cache folder: the setting, else ``$FEDMEZO_CACHE``, else ``fedmezo`` in the user's cache folder.

    A user who has no such folder, and cannot make one, as in a container, gets a temporary one.

    Raises:
        ResourceError: there is no home folder where ``~`` is to be it.
    """
    chosen = setting or os.environ.get("FEDMEZO_CACHE", "")
    try:
        if chosen:
            return Path(chosen).expanduser()
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedmezo"
    except RuntimeError as error:
        raise ResourceError(f"{chosen or '~/.cache'}\n    there is no home folder (HOME): set FEDMEZO_CACHE") from error
    return folder if _can_be_had(folder) else _temporary(folder)


def _can_be_had(folder: Path) -> bool:
    """Return whether a folder is there, perhaps to be read only, or could be made."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return nearest.is_dir() and (nearest == folder or is_writable(nearest))


@cache
def _temporary(instead: Path) -> Path:
    folder = temporary_folder() / "cache"
    LOG.warning(f"{instead} cannot be made: the cache is {folder} (FEDMEZO_CACHE names another folder)")
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time do what is inside the block; the others wait, and find it done."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
