"""Memory that ran out: noticed in the errors of every library, and told with what to turn."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from fedmezo.core.errors import FedmezoError, OutOfMemoryError

SIGNS = ("out of memory", "allocate memory", "not enough memory", "alloc_failed", "bad_alloc", "start new thread")
ADVICE = (
    "what a run had recorded is kept (--resume RUN goes on); what takes less: smaller eval.batch_size, "
    "dataloader.batch_size\n    or llm.tok_len, train.is_enable_half, with llmtrainer train.gradient_checkpointing; "
    "more in docs/guides/out-of-memory.md"
)


def ran_out(error: BaseException | None) -> bool:
    """Return whether an error, or one that it was made of, says that there was no memory left."""
    if error is None:
        return False
    if isinstance(error, MemoryError | OutOfMemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if isinstance(error, FedmezoError):  # its own words may quote anything
        return ran_out(error.__cause__)
    said = f"{type(error).__name__} {error}".lower()
    return "outofmemoryerror" in said or any(sign in said for sign in SIGNS) or ran_out(error.__cause__)


def as_memory_error(error: BaseException) -> OutOfMemoryError | None:
    """Return an error of memory as it is told to the user, None for any other."""
    if isinstance(error, OutOfMemoryError):
        return error
    if not ran_out(error):
        return None
    if isinstance(error, FedmezoError):
        return advised(str(error))
    where = ", ".join(getattr(error, "__notes__", []))
    return advised(f"{where or 'no memory is left'}: {first_line(error)}")


def advised(text: str) -> OutOfMemoryError:
    """Return the error that says a text, and what takes less memory."""
    return OutOfMemoryError(f"{text}\n    {ADVICE}")


def first_line(error: BaseException) -> str:
    """Return kind and first line of an error: CUDA's have many."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


@contextmanager
def during(what: str) -> Iterator[None]:
    """Note on whatever goes wrong inside what was being done."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise
