"""Paired comparison: the change of a metric on the same examples, with its standard error."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.losses import ExampleLosses

Metric = Literal["loss", "accuracy", "exact_match"]


@dataclass(frozen=True)
class PairedChange:
    """How a metric changed on the same examples.

    Args:
        metric: what was compared.
        before: over all of them (loss and accuracy are token-weighted).
        after: likewise.
        examples: n.
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
        if self.metric == "loss":
            return 100.0 * (self.after / self.before - 1.0)
        return 100.0 * (self.after - self.before)

    def __str__(self) -> str:
        errors = f", {abs(self.change) / self.standard_error:.1f} standard errors" if self.standard_error else ""
        if self.metric == "loss":
            return f"{self.before:.4f} -> {self.after:.4f} ({self.percent:+.2f} %{errors}, {self.examples} examples)"
        shares = f"{100 * self.before:.1f} % -> {100 * self.after:.1f} %"
        return f"{shares} ({self.percent:+.1f} points{errors}, {self.examples} examples)"


def paired_change(before: ExampleLosses, after: ExampleLosses, metric: Metric = "loss") -> PairedChange:
    """Compare two points on the same examples.

    Raises:
        ValueError: the examples differ.
    """
    if not np.array_equal(before.indices, after.indices):
        raise ValueError("a paired comparison needs the same examples on both sides")
    change, error = mean_difference(_per_example(before, metric), _per_example(after, metric))
    count = len(before.indices)
    return PairedChange(metric, _overall(before, metric), _overall(after, metric), count, change, error)


def mean_difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean over examples of ``after - before`` [n], and its standard error (0 for one example)."""
    differences = after - before
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return float(differences.mean()), error


def _per_example(losses: ExampleLosses, metric: Metric) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = losses.correct / losses.tokens
    if metric == "exact_match":
        return np.floor(shares)
    return losses.sums / losses.tokens if metric == "loss" else shares


def _overall(losses: ExampleLosses, metric: Metric) -> float:
    return {"loss": losses.mean, "accuracy": losses.accuracy, "exact_match": losses.exact_match}[metric]()
