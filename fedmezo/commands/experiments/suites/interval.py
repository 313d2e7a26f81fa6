"""Means over seeds with their 90 % confidence intervals (Student's t, as the paper gives them)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# 95 % quantiles of Student's t for 1, 2, ... degrees of freedom: both tails together leave 10 %
T95 = (6.3138, 2.9200, 2.3534, 2.1318, 2.0150, 1.9432, 1.8946, 1.8595, 1.8331, 1.8125, 1.7959, 1.7823, 1.7709, 1.7613)
NORMAL95 = 1.6449


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Args:
        mean: of the finite values.
        half_width: of its 90 % interval; NaN where there are not two values.
        count: of the finite values.
    """

    mean: float
    half_width: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return abs(self.mean) > self.half_width


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of values and its 90 % interval.

    Examples:
        >>> interval([1.0, 2.0, 3.0]).mean
        2.0
        >>> round(interval([1.0, 2.0, 3.0]).half_width, 4)  # 2.92 / sqrt(3)
        1.6859
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Interval(math.nan, math.nan, 0)
    mean, freedom = math.fsum(known) / len(known), len(known) - 1
    if freedom == 0:
        return Interval(mean, math.nan, 1)
    variance = math.fsum((value - mean) ** 2 for value in known) / freedom
    quantile = T95[freedom - 1] if freedom <= len(T95) else NORMAL95
    return Interval(mean, quantile * math.sqrt(variance / len(known)), len(known))
