"""What evaluations keep of every example: of each metric, a sum of values and what it is divided by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.metrics import Metric


class Sums(NamedTuple):
    """Sums over the response tokens of each of n examples.

    Args:
        values: fp64 [n].
        counts: what the values are divided by, int64 [n].
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ExampleSums:
    """Sums of the examples of one split.

    Args:
        indices: which examples, int64 [n], ascending.
        sums: by the name of the metric; that of ``loss`` is there, and counts response tokens.
    """

    indices: NDArray[np.int64]
    sums: Mapping[str, Sums]

    def of(self, indices: NDArray[np.int64]) -> "ExampleSums":
        """Return the part that belongs to some examples."""
        held = np.isin(self.indices, indices)
        parts = {name: Sums(own.values[held], own.counts[held]) for name, own in self.sums.items()}
        return ExampleSums(self.indices[held], parts)

    def has(self, metric: Metric) -> bool:
        """Return whether the sums are there that a metric is computed from."""
        return (metric.sums_of or metric.name) in self.sums

    def result(self, metric: Metric) -> float:
        """Return a metric over all examples together; NaN where nothing counts."""
        return metric.over(*self._of(metric))

    def each(self, metric: Metric) -> NDArray[np.float64]:
        """Return a metric of each example, fp64 [n]; NaN where nothing counts."""
        return metric.each(*self._of(metric))

    def counting(self, metric: Metric) -> NDArray[np.bool_]:
        """Return which examples count for a metric, bool [n]."""
        return self._of(metric)[1] > 0

    def _of(self, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return metric.of_examples(*self.sums[metric.sums_of or metric.name])
