"""What a classification is compared with: the commonest class of training, and the model before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.example_sums import Sums


@dataclass(frozen=True)
class Baselines:
    """Accuracies on the evaluated examples of a split.

    Args:
        majority: of the answer that is always the same, the commonest class of the training examples.
        answer: that class.
        zero_shot: of the model before training.
        zero_shot_threshold: of that with the threshold of margins that is best on training examples, so that what
            training adds to it is no shift of a bias; None where margins were not evaluated.
    """

    majority: float
    answer: str
    zero_shot: float
    zero_shot_threshold: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the accuracies as they are written."""
        return {name: value for name, value in vars(self).items() if value is not None}


def baselines(
    labels: Sequence[str | None],
    train: NDArray[np.int64],
    evaluated: NDArray[np.int64],
    zero_shot: float,
    zero_shot_threshold: float | None = None,
) -> Baselines:
    """Return what a classification is compared with.

    Args:
        labels: the class of every example.
        train: training examples, at least one; of equally common classes the first in the alphabet counts.
        evaluated: the examples that are evaluated, at least one.
        zero_shot: accuracy before training.
        zero_shot_threshold: accuracy before training with a threshold, if known.
    """
    counts = Counter(str(labels[row]) for row in train)
    answer = min(counts, key=lambda name: (-counts[name], name))
    majority = float(np.mean([labels[row] == answer for row in evaluated]))
    return Baselines(majority, answer, zero_shot, zero_shot_threshold)


def with_threshold(train: Sums, evaluated: Sums) -> float:
    """Return the accuracy of answering the second class from that margin on which is best on training examples.

    Args:
        train: margins of training examples, and for each 1 (the first class) or 2 (the second one), as of ``auc``.
        evaluated: the same of evaluated examples.
    """
    order = np.argsort(train.values, kind="stable")
    margins, second = train.values[order], train.counts[order] == 2
    right = np.concatenate([[0], np.cumsum(~second)]) + second.sum() - np.concatenate([[0], np.cumsum(second)])
    edges = np.concatenate([[-np.inf], (margins[1:] + margins[:-1]) / 2, [np.inf]])  # answering it above each
    best = edges[int(np.argmax(right))]
    return float(np.mean((evaluated.values > best) == (evaluated.counts == 2)))
