"""Dividing a whole number of things in proportion to weights."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def apportion(weights: Sequence[float] | NDArray[np.generic], total: int) -> NDArray[np.int64]:
    """Divide ``total`` by the largest-remainder method (Hamilton); of equal remainders the first wins.

    Args:
        weights: not negative, and not all zero.
        total: how many things there are.

    Returns:
        int64 [weights], summing to ``total``; a weight of zero gets nothing.

    Examples:
        >>> apportion([0.5, 0.3, 0.2], 7).tolist()
        [4, 2, 1]
    """
    shares = np.asarray(weights, dtype=np.float64)
    quotas = shares / shares.sum() * total
    counts: NDArray[np.int64] = np.floor(quotas).astype(np.int64)
    remainders = np.where(shares > 0, quotas - counts, -1.0)
    counts[np.argsort(-remainders, kind="stable")[: total - counts.sum()]] += 1
    return counts
