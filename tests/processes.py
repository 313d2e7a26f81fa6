"""Processes of tests: none outlives the process that tests, also where that is killed.

Every process inherits the environment of the one that started it, so all that a test process starts, and what those
start, carry its mark, Ray's daemons and a shell's background jobs included. A watcher outside waits for the end of the
test process, however that comes about, and kills whoever carries the mark.
"""

import os
import secrets
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

MARK = "FEDMEZO_TESTS"


@cache
def end_with_this_process() -> "subprocess.Popen[bytes] | None":
    """Have all that this process starts from now on be killed when it ends, and return the watcher.

    Linux only; elsewhere nobody watches.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    mark = secrets.token_hex(16)
    environment = {name: value for name, value in os.environ.items() if name != MARK}  # nobody else's watcher ends it
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(os.getpid()), mark],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # who reads what tests say until its end does not wait for the watcher's
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    os.environ[MARK] = mark
    return watcher


def watch(process: int, mark: str) -> None:
    """Wait for the end of a process, and kill those that carry its mark, until there are none."""
    with suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(process)], [], [])
    while found := list(_marked(f"{MARK}={mark}".encode())):
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def _marked(entry: bytes) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended since, or another user's
            if entry in (folder / "environ").read_bytes().split(b"\0"):  # a process that has ended has none
                yield int(folder.name)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
