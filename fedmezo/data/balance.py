"""As many examples of each class, in every category."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.errors import ResourceError
from fedmezo.data.splitters.splitter import indices_by_label

Indices = NDArray[np.int64]
Cell = tuple[str, str]  # category and class


def balanced(rows: Indices, cells: Sequence[Cell], draw: np.random.Generator) -> Indices:
    """Return as many rows of each class, in every category: as many as there are of the rarest class in it.

    Args:
        rows: ascending.
        cells: category and class of every example.
        draw: says which of the others.

    Raises:
        ResourceError: a category lacks a class.
    """
    classes = sorted({cells[row][1] for row in rows})
    kept = []
    for category, group in indices_by_label([cells[row][0] for row in rows]).items():
        members = rows[group]
        own = indices_by_label([cells[row][1] for row in members])
        if missing := [name for name in classes if name not in own]:
            where = f" in the category {category}" if category else ""
            raise ResourceError(f"data.balance = True\n    there is no example of {', '.join(missing)}{where}")
        least = min(map(len, own.values()))
        kept += [draw.permutation(members[places])[:least] for places in own.values()]
    return np.sort(np.concatenate(kept)) if kept else rows
