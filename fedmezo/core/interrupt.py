"""Ctrl-C and its like finish the round; a second one stops at once."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from fedmezo.core.log import LOG
from fedmezo.core.signals import STOPPING, handled_by, interrupt

FINISHING = "finishing this round, then saving (again to stop at once) ..."
PAIR = 1.0  # seconds within which SIGTERM is the same request: timeout(1), for one, sends it twice


class StopRequest:
    """Whether the user, or the machine, asked to stop. Calling it answers.

    Args:
        answer: said on the first signal.
    """

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._since: float | None = None

    def __call__(self) -> bool:
        """Return whether a stop was asked for."""
        return self._since is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal as a request; let Ctrl-C or SIGTERM after it interrupt, others be more of the same."""
        if self._since is None:
            self._since = time.monotonic()
            LOG.warning(self._answer)
        elif number == signal.SIGINT or (number == signal.SIGTERM and time.monotonic() - self._since > PAIR):
            interrupt(number, frame)


@contextmanager
def graceful_stop(answer: str = FINISHING, numbers: Sequence[signal.Signals] = STOPPING) -> Iterator[StopRequest]:
    """Turn signals that ask to stop into a request inside the block."""
    request = StopRequest(answer)
    with handled_by(request.handle, numbers):
        yield request


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put signals off to the end of the block: what must not be done by half is done."""
    came: list[int] = []
    try:
        with handled_by(lambda number, frame: came.append(number)):
            yield
    finally:
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


@contextmanager
def ending() -> Iterator[None]:
    """Ignore signals inside the block, after which the program ends anyway: what is being saved is saved."""
    with handled_by(signal.SIG_IGN):
        yield
