"""Where downloaded and derived files are kept between runs, by one process at a time, and how they are checked."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder(setting: str = "") -> Path:
    """Return the cache folder: the setting, else ``$FEDMEZO_CACHE``, else ``fedmezo`` in the user's cache folder."""
    chosen = setting or os.environ.get("FEDMEZO_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedmezo"


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
