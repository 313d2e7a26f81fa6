"""The normal quantile as a table: a cell per 1/64 octave of the tail probability, linear within the cell."""

import hashlib
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CELL_BITS = 6
CELLS = 1 << CELL_BITS  # of an octave; also how many of the smallest v have a cell of their own
DIGEST = "48fea45b89f028c9f08b16a1f2f324a0"


@cache
def quantile_table() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (value at a cell's start, slope per unit of v), both fp32 [1664], of the upper normal quantile.

    Cell c < 64 holds v = c alone. Cell c >= 64 holds the v of exponent e = 5 + c // 64 whose next six bits are
    c % 64: 2**(e - 6) values.

    Raises:
        RuntimeError: this platform computes another table, so that directions would not be portable.
    """
    cells = (31 - CELL_BITS + 1) * CELLS
    quantile = NormalDist().inv_cdf
    edges = [_first_of_cell(cell) for cell in range(cells + 1)]
    exact = [-quantile((v + 0.5) / 2**32) for v in edges]
    steps = [(exact[cell + 1] - exact[cell]) / (edges[cell + 1] - edges[cell]) for cell in range(cells)]
    values, slopes = np.array(exact[:cells], dtype=np.float32), np.array(steps, dtype=np.float32)
    if hashlib.blake2b(values.tobytes() + slopes.tobytes(), digest_size=16).hexdigest() != DIGEST:
        raise RuntimeError("this platform computes another normal quantile table; directions would not be portable")
    return values, slopes


def _first_of_cell(cell: int) -> int:
    if cell < CELLS:
        return cell
    return (CELLS + cell % CELLS) << (cell // CELLS - 1)
