"""The parts of the page, each with its share of the time and a process of its own, whose rows are kept as they come.

A row that fails costs itself alone: if it takes its process along, a new one goes on with the next.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple

Results = dict[str, Any]
PATIENCE = 10.0  # seconds that a process has to end when it is interrupted


class Part(NamedTuple):
    """What is measured, and its share of the minutes; what is left of it is the next one's."""

    name: str
    share: float


PARTS = (
    Part("machine", 0.05),
    Part("tests", 0.15),
    Part("kernel", 0.15),
    Part("steps", 0.35),
    Part("memory", 0.15),
    Part("engines", 0.15),
)


class Ended(NamedTuple):
    """How a process ended: its exit code, all that it said, whether its time was over."""

    code: int
    said: str
    late: bool

    @property
    def reason(self) -> str:
        """The last line that it said."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[-1] if lines else f"ended with code {self.code}"


def measure(part: Part, results: Results, command: Sequence[str], deadline: float, save: Callable[[], None]) -> Ended:
    """Measure a part until a deadline of the monotonic clock, and return how its last process ended.

    Args:
        results: gets ``parts[name]``: the ``plan`` of rows, the ``rows`` that there are, ``seconds``, and why it ended
            early (``failed``).
        command: of a process that measures it; it is told which part, and how many rows of the plan are done.
        save: called after each row.
    """
    found = results["parts"].setdefault(part.name, {"plan": [], "rows": {}, "seconds": 0.0})
    started, ended = time.monotonic(), Ended(0, "", True)

    def keep(line: str) -> None:
        found.update({"plan": said["plan"]} if "plan" in (said := json.loads(line)) else {})
        if "row" in said:
            found["rows"][said["row"]] = said["figures"]
        found["seconds"] = round(time.monotonic() - started, 1)
        save()

    while (left := deadline - time.monotonic()) > 0:
        done = sum(name in found["rows"] for name in found["plan"])
        ended = _process([*command, "--part", part.name, "--skip", str(done)], left, keep)
        if ended.code == 0 or ended.late:
            break
        under_way = [name for name in found["plan"] if name not in found["rows"]]
        if not under_way:
            found["failed"] = ended.reason
            break
        found["rows"][under_way[0]] = {"failed": ended.reason}
    save()
    return ended


def _process(command: Sequence[str], left: float, keep: Callable[[str], None]) -> Ended:
    """Run a process for so many seconds at most, and keep the lines that it prints."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        late = threading.Event()

        def over() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(left, over)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                keep(line)
            process.wait()
        finally:
            timer.cancel()
            _end(process)
        return Ended(process.returncode, _text(log), late.is_set())


def _text(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupt a process and what it has started; if that does not help, kill them."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
            return
