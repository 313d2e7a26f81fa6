"""A measured quantity: its value, its standard error, and of how many samples it is the outcome."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

S = TypeVar("S")


@dataclass(frozen=True)
class Measured:
    """A value with its standard error (NaN where too few samples tell none)."""

    value: float
    error: float
    samples: int

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return "-"
        if not (math.isfinite(self.error) and 1e-4 <= self.error < 1e5):
            return f"{self.value:.3g}" + (f" ± {self.error:.1g}" if math.isfinite(self.error) else "")
        digits = 1 - math.floor(math.log10(self.error))  # two of the error
        value, error = round(self.value, digits), round(self.error, digits)
        return f"{value:,.{max(0, digits)}f} ± {error:,.{max(0, digits)}f}"

    @property
    def relative_error(self) -> float:
        """The standard error as a share of the value."""
        return self.error / abs(self.value) if self.value else math.inf

    @property
    def positive(self) -> bool:
        """Whether the value is told from zero: above it by two standard errors."""
        return self.value > 2.0 * (self.error if math.isfinite(self.error) else 0.0) and self.value > 0.0


def mean(values: ArrayLike) -> Measured:
    """Return the mean of independent samples [n]."""
    found = np.asarray(values, dtype=np.float64).ravel()
    error = float(found.std(ddof=1) / math.sqrt(len(found))) if len(found) > 1 else math.nan
    return Measured(float(found.mean()), error, len(found))


def crossed_mean(values: ArrayLike) -> Measured:
    """Return the mean of a table [m, n] whose rows and columns are both drawn; either's spread counts."""
    found = np.asarray(values, dtype=np.float64)
    by_row, by_column = mean(found.mean(axis=1)), mean(found.mean(axis=0))
    errors = [each.error for each in (by_row, by_column) if math.isfinite(each.error)]
    return Measured(by_row.value, math.hypot(*errors) if errors else math.nan, found.size)


def ratio(above: Measured, below: Measured) -> Measured:
    """Return a ratio of independent quantities, with the error of first order."""
    if not below.value:
        return Measured(math.nan, math.nan, min(above.samples, below.samples))
    value = above.value / below.value
    error = math.hypot(above.error, value * below.error) / abs(below.value)
    return Measured(value, error, min(above.samples, below.samples))


def jackknife(statistic: Callable[[S], float], whole: S, parts: Sequence[S]) -> Measured:
    """Return a statistic of a sample, with the error by leaving one of n elements out at a time.

    Args:
        statistic: of a sample.
        whole: the sample.
        parts: the sample without each of its elements [n].
    """
    left = np.array([statistic(part) for part in parts])
    count = len(left)
    error = math.sqrt((count - 1) / count * float(np.square(left - left.mean()).sum())) if count > 1 else math.nan
    return Measured(statistic(whole), error, count)
