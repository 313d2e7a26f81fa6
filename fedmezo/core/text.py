"""Numbers, times and tables as people read them."""

from collections.abc import Sequence


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
