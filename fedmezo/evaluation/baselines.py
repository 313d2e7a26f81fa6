"""What a classification is compared with: the commonest class of training, and the model before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Baselines:
    """Accuracies on the evaluated examples of a split.

    Args:
        majority: of the answer that is always the same, the commonest class of the training examples.
        answer: that class.
        zero_shot: of the model before training.
    """

    majority: float
    answer: str
    zero_shot: float

    def to_json(self) -> dict[str, Any]:
        """Return the accuracies as they are written."""
        return dict(vars(self))


def baselines(
    labels: Sequence[str | None], train: NDArray[np.int64], evaluated: NDArray[np.int64], zero_shot: float
) -> Baselines:
    """Return what a classification is compared with.

    Args:
        labels: the class of every example.
        train: training examples, at least one; of equally common classes the first in the alphabet counts.
        evaluated: the examples that are evaluated, at least one.
        zero_shot: accuracy before training.
    """
    counts = Counter(str(labels[row]) for row in train)
    answer = min(counts, key=lambda name: (-counts[name], name))
    return Baselines(float(np.mean([labels[row] == answer for row in evaluated])), answer, zero_shot)
