"""Programs in child processes, each with streams of its own, killed from outside once their time is over."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

PATIENCE = 300.0  # seconds after which a run counts as hanging
NO_TRACE = ("Traceback (most recent call last)", "--- Logging error ---")

Prepare = Callable[[], None]


class Timed(NamedTuple):
    """A signal, and the seconds after the start at which it is sent."""

    after: float
    number: int


class Ended(NamedTuple):
    """How a program ended: its exit code, minus the signal if it was killed, and what it printed."""

    code: int
    output: str

    @property
    def defect(self) -> str:
        """What no program may end with; '' where it did not."""
        if any(words in self.output for words in NO_TRACE):
            return "traceback"
        return {1: "exit code 1", -signal.SIGKILL: "hung"}.get(self.code, "")


def nothing() -> None:
    """Prepare nothing."""


def preload() -> None:
    """Import all that the programs would, and start no thread."""
    import matplotlib.figure  # noqa: F401


def forked(
    program: str,
    words: Sequence[str],
    kill_after: float = PATIENCE,
    prepare: Prepare = nothing,
    signals: Sequence[Timed] = (),
) -> Ended:
    """Run ``python -m fedmezo.PROGRAM WORDS`` in a fork; send it signals, and kill it after so many seconds."""
    with tempfile.TemporaryFile() as output:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            become(program, words, output.fileno(), prepare)
        code = waited(child, [*signals, Timed(kill_after, signal.SIGKILL)])
        output.seek(0)
        return Ended(code, output.read().decode(errors="replace"))


def become(program: str, words: Sequence[str], output: int, prepare: Prepare) -> NoReturn:
    """Be the program, from its first line after the imports to the end of the process."""
    from fedmezo import main, node, replay
    from fedmezo.core.process import begin, run_program

    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = [f"fedmezo.{program}", *words]
        begin()
        prepare()
        code = run_program({"main": main.main, "node": node.main, "replay": replay.main}[program])
    except BaseException:  # noqa: BLE001  (as the interpreter would)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def waited(child: int, signals: Sequence[Timed]) -> int:
    """Wait for a child, send it signals when it is time for them, and return its exit code."""
    started = time.monotonic()
    for after, number in signals:
        while (left := started + after - time.monotonic()) > 0:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(min(left, 0.002))
        os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fresh(
    words: Sequence[str], kill_after: float = PATIENCE, prepare: Prepare | None = None, signals: Sequence[Timed] = ()
) -> Ended:
    """Run ``python -m fedmezo.main WORDS`` in an interpreter of its own; send it signals, and kill it at last.

    Args:
        words: the arguments.
        kill_after: seconds.
        prepare: done in the child before the interpreter starts.
        signals: to be sent, in the order of their times.
    """
    command = [sys.executable, "-m", "fedmezo.main", *words]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=prepare)
        process.returncode = waited(process.pid, [*signals, Timed(kill_after, signal.SIGKILL)])
        output.seek(0)
        return Ended(process.returncode, output.read().decode(errors="replace"))
