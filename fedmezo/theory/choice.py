"""Choosing mu and the rate from what was tried."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedmezo.theory.measured import Measured, mean

FACTOR = 3.0  # between neighbouring rates, until the best is between two others
FINE = 1.8  # between neighbours of the best in the end
MOST = 12  # rates tried
MARGIN = 2.0  # at least so far below the edge, which of a parabola is its lowest point
FLAT = 0.01  # fidelities that differ by less are alike

Changes = Mapping[float, NDArray[np.float64]]  # of the loss on the same batches [m], by rate


@dataclass(frozen=True)
class Tried:
    """Paired changes of the loss at the rates that were tried, by rate, ascending."""

    changes: Changes

    @property
    def best(self) -> float | None:
        """The rate at which the loss falls most; None where it falls at none, by two standard errors."""
        rate = lowest(self.changes)
        return rate if falls(mean(self.changes[rate])) else None

    @property
    def bracketed(self) -> bool:
        """Whether a rate above the best is worse than it, by two standard errors."""
        return self.best is not None and rises(mean(self.changes[max(self.changes)] - self.changes[self.best]))

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


def lowest(changes: Changes) -> float:
    """Return the rate of the lowest loss."""
    return min(changes, key=lambda rate: _or_infinite(float(changes[rate].mean())))


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
    """Return the rate to try next: smaller ones until one is worse, larger ones until one is, then between.

    Smaller ones first, as far beyond the best a loss may be level.
    """
    best, smallest, largest = lowest(changes), min(changes), max(changes)
    at_best = mean(changes[best])
    if rises(at_best) or (falls(at_best) and not rises(mean(changes[smallest] - changes[best]))):
        return two_digits(smallest / FACTOR)
    if not rises(mean(changes[largest] - changes[best])):
        return two_digits(largest * FACTOR)
    if not falls(at_best):
        return two_digits(smallest / FACTOR)
    beside = [min(rate for rate in changes if rate > best), *sorted(rate for rate in changes if rate < best)[-1:]]
    wide = [math.sqrt(best * rate) for rate in beside if max(best / rate, rate / best) > FINE]
    return two_digits(wide[0]) if wide else None


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


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
