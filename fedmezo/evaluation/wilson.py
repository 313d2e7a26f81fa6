"""Intervals of shares."""

from math import sqrt

Z = 1.959964  # of 95 %


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of ``count`` >= 1 independent examples (Wilson 1927).

    Examples:
        >>> [round(bound, 3) for bound in wilson(0.9, 10)]
        [0.596, 0.982]
    """
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return middle - half, middle + half
