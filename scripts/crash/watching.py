"""What a program does right before each operation that changes its files."""

import os
import re
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from scripts.crash.programs import Prepare

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")


def watched(root: Path, act: Callable[[str], None]) -> Prepare:
    """Return what makes a program call ``act`` before each operation that changes files below a folder."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if changes(event, arguments, f"{root}/"):
            act(f"{event.removeprefix('os.')} {plain(str(arguments[0]))}")

    return lambda: sys.addaudithook(hook)


def changes(event: str, arguments: tuple[Any, ...], root: str) -> bool:
    """Return whether an audited event changes files below a folder; what libraries in Rust do is not audited."""
    if event == "open":
        return str(arguments[0]).startswith(root) and bool(arguments[2] & WRITING)
    # rmtree removes relative to an open folder, which is nowhere else in these runs
    return event in CHANGES and (str(arguments[0]).startswith(root) or not str(arguments[0]).startswith("/"))


def plain(path: str) -> str:
    """Return the name of a file without what ``tempfile`` drew."""
    return re.sub(r"\.[a-z0-9_]{8}$", ".*", path.rpartition("/")[2])


def logged(path: Path) -> Callable[[str], None]:
    """Return what writes down every operation."""

    def act(event: str) -> None:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # audited itself, but not below the root
        os.write(number, f"{event}\n".encode())
        os.close(number)

    return act


def killing(wanted: int) -> Callable[[str], None]:
    """Return what kills its process at its call number ``wanted``."""
    numbers = count()

    def act(event: str) -> None:
        if next(numbers) == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return act
