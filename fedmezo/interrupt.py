"""Ctrl-C finishes the round; a second one stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fedmezo.log import LOG

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FINISHING = "finishing this round, then saving (again to stop at once) ..."


class StopRequest:
    """Whether the user asked to stop. Calling it answers.

    Args:
        answer: said on the first signal.
    """

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._requested = False

    def __call__(self) -> bool:
        """Return whether a stop was asked for."""
        return self._requested

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal as a request; let the second interrupt."""
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        LOG.warning(self._answer)


@contextmanager
def graceful_stop(answer: str = FINISHING) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request inside the block."""
    request = StopRequest(answer)
    with _handled_by(request.handle):
        yield request


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM inside the block: what is being saved is saved."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals do not reach it
        yield
        return
    before = [(number, signal.signal(number, handler)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
