"""Choosing mu and the rate from what was tried."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.theory.measured import Measured, mean

FACTOR = 3.0  # from the largest rate to the next; smaller ones are ever further apart, powers of it
FINE = 1.8  # between neighbours of the best in the end
WIDE = 5.0  # between neighbours that a minimum may hide between
ALIKE = 0.9  # of the best fall: less is worse
MOST = 14  # rates tried
LONGEST = 5  # the power of the longest stride, and the strides where nothing is told
MARGIN = 2.0  # at least so far below the edge, which of a parabola is its lowest point
FLAT = 0.01  # fidelities that differ by less are alike

Changes = Mapping[float, NDArray[np.float64]]  # of the loss on the same batches [m], by rate


@dataclass(frozen=True)
class Tried:
    """Paired changes of the loss at the rates that were tried, by rate, ascending."""

    changes: Changes

    @property
    def best(self) -> float | None:
        """The rate at which the loss falls most, in the first basin; None where it falls at none, by two errors."""
        return lowest(basin(self.changes))

    @property
    def worse_below(self) -> bool:
        """Whether the smallest rate is on the slope that leads to the best."""
        return self.best is not None and self.best > min(self.changes) and on_slope(self.changes)

    @property
    def worse_above(self) -> bool:
        """Whether a rate above the best is worse than it."""
        return self.best is not None and len(basin(self.changes)) < len(self.changes)

    @property
    def wide(self) -> tuple[float, float] | None:
        """The neighbours of the best, where these are so far apart that a better one may lie between them."""
        below, above = (1.0, 1.0) if self.best is None else beside(self.changes, self.best)
        return (below, above) if above > below * FACTOR**2 else None

    @property
    def sure(self) -> bool:
        """Whether the best is known, to about :data:`FACTOR`."""
        return self.worse_below and self.worse_above and self.wide is None

    @property
    def edge(self) -> float | None:
        """The largest rate that still falls, of those that do from the best on."""
        if self.best is None:
            return None
        above = [rate for rate in self.changes if rate >= self.best]
        stop = next((rate for rate in above if not falls(mean(self.changes[rate]))), math.inf)
        return max(rate for rate in above if rate < stop)

    @property
    def recommended(self) -> float | None:
        """The best rate, or the edge with a margin if that is less."""
        if self.best is None or self.edge is None:
            return None
        return two_digits(min(self.best, self.edge / MARGIN))


def lowest(changes: Changes) -> float | None:
    """Return the rate of the lowest loss, of those at which it falls; None where it falls at none."""
    falling = [rate for rate in changes if falls(mean(changes[rate]))]
    return min(falling, key=lambda rate: float(changes[rate].mean()), default=None)


def basin(changes: Changes) -> Changes:
    """Return the changes of the rates, ascending, up to where the loss rises again, having fallen.

    Far beyond, where the logits are saturated, it may be low again, at any rate: that is no minimum.
    """
    found: dict[float, NDArray[np.float64]] = {}
    for rate in sorted(changes):
        best = lowest(found)
        if best is not None and worse(changes[rate], changes[best]):
            break
        found[rate] = changes[rate]
    return found


def worse(change: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Return whether a loss falls less than the best by two standard errors, and by more than a level loss varies."""
    return rises(mean(change - best)) and not change.mean() < ALIKE * best.mean()


def on_slope(changes: Changes) -> bool:
    """Return whether the loss falls in proportion from the smallest rate to the next, or does not move there at all."""
    smallest = min(changes)
    _, above = beside(changes, smallest)
    still = not changes[smallest].any()
    return still or (above > smallest and falls(mean(changes[smallest])) and not bends(changes, smallest, above))


def bends(changes: Changes, below: float, above: float) -> bool:
    """Return whether the loss falls at a rate, and at a larger one less than half as much as in proportion.

    Between the two a minimum may hide: that of a parabola is where it is half as much.
    """
    return falls(mean(changes[below])) and changes[above].mean() * below > changes[below].mean() * above / 2.0


def beside(changes: Changes, rate: float) -> tuple[float, float]:
    """Return the neighbours of a rate; itself where there is none."""
    return max((each for each in changes if each < rate), default=rate), min(
        (each for each in changes if each > rate), default=rate
    )


def falls(change: Measured) -> bool:
    """Return whether a loss has fallen by two standard errors."""
    return math.isfinite(change.value) and change.value + 2.0 * change.error < 0.0


def rises(change: Measured) -> bool:
    """Return whether a loss has risen by two standard errors, or is not finite."""
    return not math.isfinite(change.value) or change.value - 2.0 * change.error > 0.0


def search(probe: Callable[[float], NDArray[np.float64]], start: float) -> Tried:
    """Try rates until the best is known to within a factor of :data:`FINE`, or as many as are worth it were tried.

    Args:
        probe: the paired changes of the loss at a rate [m].
        start: the first rate to try.
    """
    changes: dict[float, NDArray[np.float64]] = {}
    rate: float | None = start
    while rate is not None and len(changes) < MOST:
        changes[rate] = probe(rate)
        rate = following(changes)
    return Tried(dict(sorted(changes.items())))


def following(changes: Changes) -> float | None:
    """Return the rate to try next: smaller until one is on the slope, larger until one is worse, then between.

    Smaller ones first, as far beyond the best a loss may be level; and ever further apart, as that may be far away.
    """
    found = basin(changes)
    best, smallest, largest = lowest(found), min(changes), max(changes)
    power = min(len(changes), LONGEST) if len(found) == len(changes) else 1  # the best is near below what is worse
    smaller, larger = two_digits(smallest / FACTOR**power), two_digits(largest * FACTOR)
    moves = bool(changes[smallest].any())  # else smaller rates tell nothing
    if best is None:
        high = any(rises(mean(each)) for each in changes.values())
        if moves and (high or len(changes) <= LONGEST):
            return smaller
        return None if high else larger
    if not on_slope(changes):
        return smaller
    level = min(rate for rate in found if not worse(changes[rate], changes[best]))
    for below, above in pairwise(found):
        if below <= level and above / below > WIDE and bends(changes, below, above):
            return two_digits(math.sqrt(above * below))
    if len(found) == len(changes):
        return larger
    below, above = beside(changes, best)
    ratio, other = max((above / best, above), (best / below, below), key=lambda gap: gap[0])
    return two_digits(math.sqrt(best * other)) if ratio > FINE else None


def flat(fidelities: Mapping[float, Measured]) -> list[float]:
    """Return the scales mu whose fidelity is as good as the best, ascending."""
    known = {mu: each for mu, each in fidelities.items() if math.isfinite(each.value)}
    if not known:
        return []
    best = max(known.values(), key=lambda each: each.value)
    return sorted(mu for mu, each in known.items() if each.value >= best.value - max(FLAT, 2.0 * best.error))


def chosen_mu(fidelities: Mapping[float, Measured], configured: float) -> float:
    """Return the configured mu if it is in the flat part, or nothing is known; else the middle of the flat part."""
    found = flat(fidelities)
    return configured if configured in found or not found else found[(len(found) - 1) // 2]


def two_digits(value: float) -> float:
    """Return a number to two significant digits."""
    return float(f"{value:.2g}")
