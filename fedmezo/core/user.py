"""The user of the process, who may be nobody that the system knows, as in a container: a name, a home, folders."""

import getpass
import os
import stat
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path


def prepare_user_folders() -> None:
    """Give a user without a name or a home a stand-in, in the environment: libraries ask for them."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"uid{os.getuid()}"
    if not _has_home():
        with suppress(OSError):
            os.environ["HOME"] = str(temporary_folder())


def _has_home() -> bool:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises where there is none
    return home.is_dir() and home.is_absolute() and (home != Path("/") or is_writable(home))


@cache
def temporary_folder() -> Path:
    """Return a folder of this user alone, in the place for temporary files; the same in the next process.

    Raises:
        OSError: there is no such place.
    """
    folder = Path(tempfile.gettempdir()) / f"fedmezo-{os.geteuid()}"
    if not is_private(folder):  # somebody else's
        folder = Path(tempfile.mkdtemp(prefix="fedmezo-"))
    return folder


def is_private(folder: Path) -> bool:
    """Return whether a folder, made if need be, can be written by this user, and by nobody else."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not others and is_writable(folder)


def is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder: tried, as access rights are not all that decides."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
