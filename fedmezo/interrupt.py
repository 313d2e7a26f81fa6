"""Ctrl-C finishes the round; a second one stops at once."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the user asked to stop. Calling it answers."""

    def __init__(self) -> None:
        self._requested = False

    def __call__(self) -> bool:
        """Return whether a stop was asked for."""
        return self._requested

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal as a request; let the second interrupt."""
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        print("\nfinishing this round, then saving (again to stop at once) ...", file=sys.stderr, flush=True)


@contextmanager
def graceful_stop() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request inside the block."""
    request = StopRequest()
    before = [(number, signal.signal(number, request.handle)) for number in SIGNALS]
    try:
        yield request
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM inside the block: what is being saved is saved."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
