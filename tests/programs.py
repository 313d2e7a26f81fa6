"""Programs in processes of their own, forked from one that has imported what a run imports: they start at once.

What concerns an interpreter's start, its imports and its end is tested with interpreters (``tests/test_process.py``).
"""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.crash.programs import become, nothing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["fedmezo.commands.train", "fedmezo.federation.engines.flower_node"])


class Program:
    """``python -m MODULE WORDS``, in a session of its own, with the interface of ``subprocess.Popen``.

    Args:
        command: module and words.
        log: a file that what it says on stdout and stderr is appended to.
        environment: of it.
        ignored: signals that it finds ignored.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: dict[str, str], ignored: Sequence[int] = ()
    ) -> None:
        self._command = command
        log.touch()
        self._process = CONTEXT.Process(target=_become, args=(command, log, environment, ignored), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, minus the signal if it was killed; None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """The exit code, as :meth:`poll` gives it."""
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it runs for longer than so many seconds.
        """
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(list(self._command), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as the system would."""
        self.send_signal(signal.SIGKILL)


def _become(command: Sequence[str], log: Path, environment: dict[str, str], ignored: Sequence[int]) -> None:
    os.setsid()
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    module, *words = command
    become(module.removeprefix("fedmezo."), words, os.open(log, os.O_WRONLY | os.O_APPEND), nothing)
