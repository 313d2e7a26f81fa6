"""Covering arrays: of a matrix of cases, a few in which all values of any so many parameters meet.

Most faults are of one parameter's value or of two together (Kuhn et al., IEEE TSE 2004): the whole product is for
``make test-all``.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

Row = Mapping[str, Hashable]


def covering(rows: Sequence[Row], strength: int) -> list[int]:
    """Return the numbers of rows, chosen greedily, in which all combinations of ``strength`` parameters are met.

    Examples:
        >>> covering([{"a": a, "b": b} for a in range(3) for b in range(3)], strength=1)
        [0, 4, 8]
    """
    met = [set(combinations(sorted(row.items(), key=lambda item: item[0]), min(strength, len(row)))) for row in rows]
    open_, chosen = set().union(*met) if met else set(), []
    while open_:
        best = max(range(len(rows)), key=lambda number: (len(met[number] & open_), -number))
        chosen.append(best)
        open_ -= met[best]
    return sorted(chosen)


def parameters(values: Mapping[str, Any]) -> dict[str, Hashable]:
    """Return the parameters of a test's case; a dataclass stands for its fields, any other object for itself."""
    found: dict[str, Hashable] = {}
    for name, value in values.items():
        if is_dataclass(value):
            found |= {f"{name}.{field.name}": repr(getattr(value, field.name)) for field in fields(value)}
        else:
            found[name] = id(value)
    return found
