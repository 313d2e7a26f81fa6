"""How the programs of the package begin and end: quietly, whatever the user or the shell does to them."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from fedmezo.errors import FedmezoError, ResourceError

INTERRUPTED = 130
BROKEN_PIPE = 141


def leave_on_interrupt() -> None:
    """Let Ctrl-C end the process at once: an import is not made to be interrupted by an exception."""
    signal.signal(signal.SIGINT, _leave)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, where :func:`leave_on_interrupt` was in force."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"\nfedmezo: interrupted\n")
    os._exit(INTERRUPTED)


def exit_code(work: Callable[[], int], hint: Callable[[FedmezoError], str] = lambda error: "") -> int:
    """Return what ``work`` does, or the exit code of the error it ends in, having printed its message.

    Args:
        work: a program, its command line parsed.
        hint: to be added to an error's message.
    """
    try:
        return work()
    except FedmezoError as error:
        print(f"fedmezo: {error}{hint(error)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"fedmezo: {error}", file=sys.stderr)
        return ResourceError.exit_code
    except KeyboardInterrupt:
        print("\nfedmezo: interrupted", file=sys.stderr)
        return INTERRUPTED


def run_program(main: Callable[[list[str]], int]) -> int:
    """Return the exit code of a program called with the process's arguments."""
    try:
        try:
            code = main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # "| head" has seen enough; Python would complain once more on closing stdout
        code = BROKEN_PIPE
    leave_on_interrupt()
    if code == BROKEN_PIPE:
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(null, stream.fileno())
    return code
