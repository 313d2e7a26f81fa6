"""Models that others made, read by libraries that trust them: what is wrong with one is told in a message."""

from collections.abc import Iterator
from contextlib import contextmanager

from fedmezo.core.errors import FaultyModelError, FedmezoError, ModelUnavailableError
from fedmezo.core.out_of_memory import ran_out

LONGEST = 300  # characters of a reason
TERSE = (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, NotImplementedError)
PANIC = "PanicException"  # of libraries in Rust, no Exception for Python


@contextmanager
def telling_faults(subject: str) -> Iterator[None]:
    """Turn whatever a library raises inside the block into one message; lack of memory stays what it is.

    Args:
        subject: what is being read: a file, or a part of a model.

    Raises:
        FaultyModelError: the library could not make anything of it.
    """
    try:
        yield
    except BaseException as error:
        foreign = isinstance(error, Exception) or type(error).__name__ == PANIC
        if not foreign or isinstance(error, FedmezoError) or ran_out(error):
            raise
        raise FaultyModelError(f"{subject}: {reason(error)}") from error


@contextmanager
def of_model(model_type: str) -> Iterator[None]:
    """Let a message of the block begin with the model that it is about, ``NAME@HUB``."""
    try:
        yield
    except ModelUnavailableError as error:
        raise type(error)(f"model.type = {model_type}\n    {error}") from error


def reason(error: BaseException) -> str:
    """Return the first two lines of what an error says, with its kind where the words alone say little."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = " ".join(lines[:2])
    words = f"{words[:LONGEST]} ..." if len(words) > LONGEST else words
    if words and not isinstance(error, TERSE):
        return words
    return f"{type(error).__name__}{f': {words}' if words else ''}"
