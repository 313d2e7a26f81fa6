"""Label words as tokens: a class is told from the others by the first token of its word."""

from collections.abc import Sequence
from dataclasses import replace

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.encoding import Tokenizer
from fedmezo.data.tasks.task import Task


def spaced(task: Task, tokenizer: Tokenizer) -> Task:
    """Return the task with the space before label words in its template, where a tokenizer makes a token of it alone.

    So do those that see bytes, and those that put a space before every text.
    """
    words = task.label_words
    if len(words) < 2 or not all(word.startswith(" ") for word in words):
        return task
    first = {tuple(found[:1]) for found in tokenizer.encode(list(words), special=False)}
    return replace(task, template=f"{task.template} ") if len(first) == 1 else task


def label_tokens(words: Sequence[str], tokenizer: Tokenizer, unknown: int | None = None) -> tuple[int, ...]:
    """Return the first token of each label word; they differ.

    Args:
        words: as they follow a template, with their leading space.
        tokenizer: of the model.
        unknown: the token for what the tokenizer does not know, if there is one.

    Raises:
        ConfigurationError: a word has no token, one that the tokenizer does not know, or the same first one as another.
    """
    first: dict[int, str] = {}
    for word, found in zip(words, tokenizer.encode(list(words), special=False), strict=True):
        if not found or found[0] == unknown:
            raise _wrong(words, f"the model's tokenizer does not know {word.strip()!r}")
        if found[0] in first:
            raise _wrong(words, f"{first[found[0]].strip()!r} and {word.strip()!r} begin with the same token")
        first[found[0]] = word
    return tuple(first)


def _wrong(words: Sequence[str], what: str) -> ConfigurationError:
    named = ", ".join(word.strip() for word in words)
    return ConfigurationError(
        f"data.label_words\n    {what}, and the choice is made at the first token: choose others with "
        f"data.label_words, in the order of {named}"
    )
