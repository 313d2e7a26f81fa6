"""The signals that ask a program to stop: of the keyboard, of a terminal that closes, of the system, of a scheduler."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

# schedulers warn of a job's end by the last three (Slurm's --signal, PBS, LSF, Grid Engine)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
Handler = Callable[[int, FrameType | None], Any]


class Terminated(KeyboardInterrupt):
    """A signal that did not come from the keyboard."""


def heeded(numbers: Sequence[signal.Signals] = STOPPING) -> list[signal.Signals]:
    """Return the signals that count: one that is ignored since the start (``nohup``) stays ignored."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def handled_by(handler: Handler | signal.Handlers, numbers: Sequence[signal.Signals] = STOPPING) -> Iterator[None]:
    """Have the signals that count handled inside the block; in other threads than the main one nothing changes."""
    if threading.current_thread() is not threading.main_thread():  # signals do not reach it
        yield
        return
    before: list[tuple[signal.Signals, Any]] = []
    try:
        before.extend((number, signal.signal(number, handler)) for number in heeded(numbers))
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)


def take_back() -> None:
    """Install the handlers anew that Python knows of, where a library may have put its own in their place."""
    if threading.current_thread() is threading.main_thread():
        for number in heeded():
            signal.signal(number, signal.getsignal(number))


def leave_to_others() -> None:
    """Let no signal reach this thread, the threads and the processes that it starts: they end with the program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal by an exception, as Python handles Ctrl-C.

    Raises:
        KeyboardInterrupt: always.
    """
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated
