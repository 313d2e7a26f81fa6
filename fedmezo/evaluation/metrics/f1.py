"""``f1``: the F1 score of a classification task, the mean over its classes (macro)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.metrics import Metric, register

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 1024  # at most; an example is class * CLASSES + chosen class, which fp64 holds exactly


@register("f1")
class F1(Metric):
    """Harmonic mean of precision and recall, of each class that is there or was chosen; the mean over these classes.

    The examples' own values, which standard errors are of, are jackknife pseudo-values (Efron 1982).
    """

    higher_is_better = True
    unit = "macro F1"
    title = "F1"
    share = True
    among_labels = True

    def values(self, logits: "Tensor", labels: "Tensor", losses: "Tensor") -> "Tensor":
        """Return class and chosen class of each example, as one number."""
        return labels * CLASSES + logits.argmax(dim=-1)

    def over(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """Return the score over some examples."""
        return _macro(*np.unique(values[counts > 0].astype(np.int64), return_counts=True))

    def each(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return n F - (n - 1) F_i of each example, F_i being the score without it."""
        pairs, places, numbers = np.unique(values.astype(np.int64), return_inverse=True, return_counts=True)
        total, n = _macro(pairs, numbers), len(values)
        without = [_macro(pairs, numbers - (np.arange(len(pairs)) == one)) for one in range(len(pairs))]
        found: NDArray[np.float64] = (n * total - (n - 1) * np.array(without))[places] if n > 1 else np.full(n, total)
        return found


def _macro(pairs: NDArray[np.int64], numbers: NDArray[np.int64]) -> float:
    """Return the score of distinct pairs of class and chosen class, as coded, and how many examples have each."""
    pairs, numbers = pairs[numbers > 0], numbers[numbers > 0]
    classes, chosen = np.divmod(pairs, CLASSES)
    scores = []
    for one in np.union1d(classes, chosen):
        right = numbers[(classes == one) & (chosen == one)].sum()
        scores.append(2 * right / (numbers[classes == one].sum() + numbers[chosen == one].sum()))
    return float(np.mean(scores)) if scores else float("nan")
