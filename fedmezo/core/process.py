"""How the programs of the package begin and end: quietly, whatever the user, the shell or the machine does to them."""

import atexit
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from types import FrameType

from fedmezo.core.errors import ConfigurationError, FedmezoError, ResourceError
from fedmezo.core.network import check_hub_variables
from fedmezo.core.out_of_memory import as_memory_error
from fedmezo.core.signals import STOPPING, Terminated, heeded, interrupt
from fedmezo.core.streams import guard_progress_bars, guard_streams, output_lost
from fedmezo.core.user import prepare_user_folders

EXIT_CODES = """exit codes:
  0    done
  1    a defect of the program
  2    the configuration or the command line is wrong
  3    data, a model, memory or disk space cannot be had, or stdout could not be written
  4    the run diverged
  5    a client failed
  6    what was saved is not what was trained
  130  interrupted; --resume goes on
  141  done, but the reader of the output has gone"""
INTERRUPTED = 130
BROKEN_PIPE = 141
AGAIN = 0.02  # seconds after which a signal is repeated whose exception was lost


def begin() -> None:
    """Make the process ready for what may come, before anything heavy is imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else tokenizers warn where a process is forked
    guard_streams()
    guard_progress_bars()
    leave_on_interrupt()
    sys.unraisablehook = _not_lost
    atexit.register(_ignore_signals)  # the first to be registered is the last to be called
    prepare_user_folders()


def leave_on_interrupt() -> None:
    """Let Ctrl-C and its like end the process at once: an import is not made to be interrupted by an exception."""
    for number in heeded():
        signal.signal(number, _leave)


def raise_on_interrupt() -> None:
    """Let Ctrl-C and its like raise KeyboardInterrupt, where :func:`leave_on_interrupt` was in force."""
    for number in STOPPING:
        if signal.getsignal(number) is _leave:
            signal.signal(number, interrupt)


def _leave(number: int, frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, b"\nfedmezo: interrupted\n")
    os._exit(INTERRUPTED)


def _not_lost(lost: "sys.UnraisableHookArgs") -> None:
    """Repeat a signal whose exception Python cannot raise: it came while a destructor ran."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        number = signal.SIGTERM if isinstance(lost.exc_value, Terminated) else signal.SIGINT
        again = Timer(AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _ignore_signals() -> None:
    """Let no signal change the exit code any more: Python forgets its handlers when it closes down."""
    for number in heeded():
        signal.signal(number, signal.SIG_IGN)


def exit_code(work: Callable[[], int], hint: Callable[[FedmezoError], str] = lambda error: "") -> int:
    """Return what ``work`` does, or the exit code of the error it ends in, having printed its message.

    Args:
        work: a program, its command line parsed.
        hint: to be added to an error's message.
    """
    try:
        check_hub_variables()
        check_docstrings()
        return work()
    except KeyboardInterrupt:
        print("\nfedmezo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        print(f"fedmezo: {known}{hint(known)}", file=sys.stderr)
        return known.exit_code


def check_docstrings() -> None:
    """Make sure that there are docstrings, which transformers reads when it is imported.

    Raises:
        ConfigurationError: Python leaves them out.
    """
    if sys.flags.optimize > 1:
        raise ConfigurationError(
            f"PYTHONOPTIMIZE = {sys.flags.optimize}, or python -OO\n"
            "    transformers cannot be imported without docstrings; take 1, or leave it out"
        )


@contextmanager
def known_errors() -> Iterator[None]:
    """Let what a user can meet out of the block as a :class:`FedmezoError`, whatever library it began in."""
    try:
        yield
    except Exception as error:
        known = _known(error)
        if known is None or known is error:
            raise
        raise known from error


def _known(error: Exception) -> FedmezoError | None:
    """Return an error as it is told by its message alone; None for a defect."""
    if (exhausted := as_memory_error(error)) is not None:
        return exhausted
    if isinstance(error, OSError):
        return ResourceError(str(error))
    return error if isinstance(error, FedmezoError) else None


def run_program(main: Callable[[list[str]], int]) -> int:
    """Return the exit code of a program called with the process's arguments."""
    begin()
    try:
        code = main(sys.argv[1:])
    except SystemExit as error:  # argparse has said what there is to say
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except KeyboardInterrupt:
        code = INTERRUPTED
    leave_on_interrupt()
    return code or _code_of_output()


def _code_of_output() -> int:
    """Return 0 if what was printed has arrived; a terminal that is gone has seen enough."""
    error = output_lost()
    if error is None:
        return 0
    if error.errno == errno.EPIPE:  # "| head" has seen enough
        return BROKEN_PIPE
    print(f"fedmezo: stdout: {error.strerror}; what was printed is incomplete, what was saved is not", file=sys.stderr)
    return ResourceError.exit_code
