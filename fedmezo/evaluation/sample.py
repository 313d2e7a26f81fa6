"""Which examples of a split are evaluated, where not all are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedmezo.data.apportion import apportion

Indices = NDArray[np.int64]
Cell = tuple[int, str | None]  # a client and a category


def first(parts: Sequence[Indices], count: int) -> list[Indices]:
    """Return what each client has of the first ``count`` examples in the order of the data.

    Args:
        parts: of each client, int64, ascending and disjoint.
        count: of examples.
    """
    return _within(parts, np.sort(np.concatenate(parts))[:count])


def spread(
    parts: Sequence[Indices], categories: Sequence[str | None], count: int, draw: np.random.Generator
) -> list[Indices]:
    """Return what each client has of ``count`` drawn examples: one of each client and category, then in proportion.

    Args:
        parts: of each client, int64, ascending and disjoint.
        categories: of every example, None where unknown.
        count: of examples; where there are no more, all are taken.
        draw: says which; where there are more clients and categories than ``count``, also of which.
    """
    owners = {int(row): client for client, part in enumerate(parts) for row in part}
    order = [int(row) for row in draw.permutation(np.concatenate(parts))]
    if len(order) <= count:
        return list(parts)
    cells = {row: (owners[row], categories[row]) for row in order}
    taken = _one_of_each(cells)[:count]
    rest = _by_cell(cells, set(taken))
    counts = apportion([len(group) for group in rest], count - len(taken))
    for group, number in zip(rest, counts, strict=True):
        taken += group[:number]
    return _within(parts, np.array(taken))


def _one_of_each(cells: Mapping[int, Cell]) -> list[int]:
    """Return an example of each client, of a new category where it has one, and one of each category that is left."""
    own: dict[int, list[int]] = defaultdict(list)
    for row, (client, _) in cells.items():
        own[client].append(row)
    taken: list[int] = []
    met: set[str | None] = set()
    for rows in own.values():
        taken.append(next((row for row in rows if cells[row][1] not in met), rows[0]))
        met.add(cells[taken[-1]][1])
    for row, (_, category) in cells.items():
        if category not in met:
            taken.append(row)
            met.add(category)
    return taken


def _by_cell(cells: Mapping[int, Cell], taken: set[int]) -> list[list[int]]:
    """Return the examples that are not taken, by client and category."""
    groups: dict[Cell, list[int]] = defaultdict(list)
    for row, cell in cells.items():
        if row not in taken:
            groups[cell].append(row)
    return list(groups.values())


def _within(parts: Sequence[Indices], kept: Indices) -> list[Indices]:
    return [part[np.isin(part, kept)] for part in parts]
