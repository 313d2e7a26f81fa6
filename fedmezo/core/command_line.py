"""What a user is told to type next: a command that works where it is pasted."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "fedmezo"


def command(*words: str) -> str:
    """Return a command of ``fedmezo``, as the shell that this process was started from finds it.

    It is called by its name if that leads to this environment, else by its path, relative where it is below the current
    folder; where it is not installed, through ``python -m``.
    """
    return f"{_program()} {shlex.join(words)}"


def _program() -> str:
    installed, found = Path(sys.executable).with_name(NAME), shutil.which(NAME)
    if not installed.is_file():
        return f"python -m {NAME}"
    if found and Path(found).resolve() == installed.resolve():
        return NAME
    below = installed.is_relative_to(Path.cwd())
    return shlex.quote(str(installed.relative_to(Path.cwd()) if below else installed))
