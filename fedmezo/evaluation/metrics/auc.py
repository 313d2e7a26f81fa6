"""``auc``: the area under the ROC curve of a choice between two classes, which no threshold or bias changes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.metrics import Metric, register

if TYPE_CHECKING:
    from torch import Tensor


@register("auc")
class AUC(Metric):
    """Share of pairs of examples, one of each class, whose margins are in the right order; ties count half.

    The margin of an example is the logit of the second class minus that of the first (Mann and Whitney 1947). The
    examples' own values, which standard errors are of, are jackknife pseudo-values (Efron 1982).
    """

    higher_is_better = True
    unit = "area under the ROC curve"
    title = "AUC"
    among_labels = True
    num_classes = 2

    def values(self, logits: "Tensor", labels: "Tensor", losses: "Tensor") -> "Tensor":
        """Return the margin of each example."""
        return logits[:, 1] - logits[:, 0]

    def counts(self, labels: "Tensor") -> "Tensor":
        """Return 1 for an example of the first class, 2 for one of the second."""
        return labels.clamp(0, 1) + 1

    def over(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """Return the area over some examples; NaN without both classes."""
        ordered, first, second = _ordered(values, counts)
        return float(ordered[counts == 2].sum() / (first * second)) if first and second else float("nan")

    def each(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return n A - (n - 1) A_i of each example, A_i being the area without it; A where there is no such area."""
        ordered, first, second = _ordered(values, counts)
        total = self.over(values, counts)
        pairs = np.where(counts == 2, first * (second - 1), (first - 1) * second)
        without = np.full(len(values), total)
        np.divide(total * first * second - ordered, pairs, out=without, where=pairs > 0)
        found: NDArray[np.float64] = len(values) * total - (len(values) - 1) * without
        return found


def _ordered(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], int, int]:
    """Return with how many of the other class each example is in the right order, and the size of both classes."""
    low, high = np.sort(values[counts == 1]), np.sort(values[counts == 2])
    above = (np.searchsorted(low, values, "left") + np.searchsorted(low, values, "right")) / 2
    below = len(high) - (np.searchsorted(high, values, "left") + np.searchsorted(high, values, "right")) / 2
    return np.where(counts == 2, above, below), len(low), len(high)
