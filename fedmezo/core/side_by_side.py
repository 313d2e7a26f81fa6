"""Two texts to compare: side by side where there is room, else one below the other."""

import textwrap
from itertools import zip_longest

WIDE = 80  # columns of a terminal that has room for two texts
BORDER = " | "


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
