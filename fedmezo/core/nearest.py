"""The hint of an error message: the existing name nearest to one that does not exist."""

import difflib
from collections.abc import Iterable


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
