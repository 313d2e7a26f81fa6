"""What the accuracies of a finished run are compared with, where a label word was chosen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.assembly import LearningTask
from fedmezo.core.randomness import generator, stream_key
from fedmezo.evaluation.baselines import baselines, with_threshold
from fedmezo.federation.evaluations import Evaluations

MARGINS = "auc"  # the metric whose sums hold them
MOST_OF_TRAINING = 500  # examples that a threshold is chosen on


def run_baselines(task: LearningTask, evaluations: Evaluations, *, with_thresholds: bool) -> dict[str, Any]:
    """Return, by split, majority and zero-shot accuracy; where ``auc`` is evaluated, that with a threshold too.

    Args:
        task: model and data.
        evaluations: of the run.
        with_thresholds: whether there is time to score training examples, which a run that was interrupted has not.
    """
    first, evaluator, train = evaluations.records[0], evaluations.evaluator, task.data.partition.union("train")
    shifted = _with_threshold(task, evaluations, train) if with_thresholds else {}
    return {
        split: baselines(
            task.data.labels, train, evaluator.examples(split), first.value(split, "accuracy"), shifted.get(split)
        ).to_json()
        for split in evaluator.splits
    }


def _with_threshold(task: LearningTask, evaluations: Evaluations, train: NDArray[np.int64]) -> dict[str, float]:
    margins = {split: own.sums[MARGINS] for split, own in evaluations.sums(0).items() if MARGINS in own.sums}
    if not margins or task.scorer.in_place:  # where the point before training is gone
        return {}
    some = np.sort(generator(stream_key(0, "evaluation")).permutation(train)[:MOST_OF_TRAINING])
    known = evaluations.evaluator.score(task.start, some).sums[MARGINS]
    return {split: with_threshold(known, own) for split, own in margins.items()}
