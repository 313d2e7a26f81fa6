"""The hint of an error message: the existing name nearest to one that does not exist."""

import difflib
from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return ``"; the nearest is NAME"``, or an empty string where nothing is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; the nearest is {matches[0]}" if matches else ""


def listing(names: Iterable[str]) -> str:
    """Return names as ``a, b, c``, or ``nothing``."""
    return ", ".join(names) or "nothing"
