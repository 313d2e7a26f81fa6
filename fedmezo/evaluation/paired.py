"""Paired comparison: the change of a metric on the same examples, with its standard error."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.evaluation.metrics import Metric


@dataclass(frozen=True)
class PairedChange:
    """How a metric changed on the same examples.

    Args:
        metric: what was compared.
        before: over all of them (loss and accuracy are token-weighted).
        after: likewise.
        examples: n, those that count for the metric.
        change: mean over examples of the change of the example's own value.
        standard_error: of ``change``.
    """

    metric: Metric
    before: float
    after: float
    examples: int
    change: float
    standard_error: float

    @property
    def percent(self) -> float:
        """The relative change over all examples, in percent; of a share, the change in percentage points."""
        if self.metric.share:
            return 100.0 * (self.after - self.before)
        return 100.0 * (self.after / self.before - 1.0) if self.before else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Return the change as it is written."""
        return vars(self) | {"metric": self.metric.name, "percent": self.percent}

    def __str__(self) -> str:
        errors = f", {abs(self.change) / self.standard_error:.1f} standard errors" if self.standard_error else ""
        change = f"{self.percent:+.1f} points" if self.metric.share else f"{self.percent:+.2f} %"
        values = f"{self.metric.text(self.before)} -> {self.metric.text(self.after)}"
        return f"{values} ({change}{errors}, {self.examples} examples)"


def paired_change(before: ExampleSums, after: ExampleSums, metric: Metric) -> PairedChange:
    """Compare two points on the same examples.

    Raises:
        ValueError: the examples differ.
    """
    if not np.array_equal(before.indices, after.indices):
        raise ValueError("a paired comparison needs the same examples on both sides")
    counting = before.counting(metric)
    change, error = mean_difference(before.each(metric)[counting], after.each(metric)[counting])
    return PairedChange(metric, before.result(metric), after.result(metric), int(counting.sum()), change, error)


def mean_difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean over examples of ``after - before`` [n], and its standard error (0 for one example)."""
    differences = after - before
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return float(differences.mean()) if count else float("nan"), error
