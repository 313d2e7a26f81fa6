"""Numbers, times, names and texts as people read them."""

import difflib
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

WIDE = 80  # columns of a terminal that has room for two texts
BORDER = " | "


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Return rows of (name, value) as indented lines."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def when(rounds_done: int) -> str:
    """Return a point of a run in words.

    Examples:
        >>> when(0), when(1), when(4)
        ('before training', 'after 1 round', 'after 4 rounds')
    """
    return f"after {number_of_rounds(rounds_done)}" if rounds_done else "before training"


def number_of_rounds(count: int) -> str:
    """Return a number of rounds in words."""
    return f"{count} round{'' if count == 1 else 's'}"


def human(count: float) -> str:
    """Return a number of bytes in the unit that suits it (powers of 1000).

    Examples:
        >>> human(1843200)
        '1.8 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Examples:
        >>> duration(5400)
        '1.5 hours'
    """
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.3g} s"


def nearest(word: str, options: Iterable[str]) -> str:
    """Return the end of a sentence that names the option closest to ``word``; empty where none is close."""
    close = difflib.get_close_matches(word, list(options), n=1)
    return f"; the nearest is {close[0]}" if close else ""


def nearest_key(name: str, keys: Iterable[str]) -> str:
    """Return the same for a dotted key: one with the same last part is nearer than any other."""
    names = list(keys)
    same_leaf = [key for key in names if key.rpartition(".")[2] == name.rpartition(".")[2]]
    close = difflib.get_close_matches(name, same_leaf, n=1, cutoff=0.0)
    return f"; the nearest is {close[0]}" if close else nearest(name, names)


def listing(names: Iterable[str]) -> str:
    """Return names as ``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"


def alternatives(names: Sequence[str]) -> str:
    """Return at least one name as ``a``, ``a or b``, or ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def compared(titles: tuple[str, str], texts: tuple[str, str], width: int | None) -> str:
    """Return both texts under their titles.

    Args:
        titles: of the texts.
        texts: of any number of lines; characters that a terminal would act on are replaced.
        width: of the terminal in columns; None if the reader is none, and lines are to stay as they are.
    """
    left, right = map(printable, texts)
    if width is None or width < WIDE:
        return f"{titles[0]}:\n{left}\n\n{titles[1]}:\n{right}\n"
    column = (width - len(BORDER)) // 2
    rows = [titles, ("-" * column, "-" * column), *zip_longest(_wrapped(left, column), _wrapped(right, column))]
    return "".join(f"{first or '':<{column}}{BORDER}{second or ''}".rstrip() + "\n" for first, second in rows)


def printable(text: str) -> str:
    """Return a text without what moves a cursor or changes colours: a model may say anything."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _wrapped(text: str, width: int) -> list[str]:
    return [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, width) or [""]]
