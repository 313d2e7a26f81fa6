"""What a classification is compared with."""

import numpy as np

from fedmezo.evaluation.baselines import baselines

LABELS = ["good", "bad", "bad", "good", "bad", None, "good"]


def test_the_majority_is_that_of_training_and_counts_on_what_is_evaluated() -> None:
    found = baselines(LABELS, np.array([0, 1, 2]), np.array([3, 4, 6]), 0.25)
    assert found.to_json() == {"majority": 1 / 3, "answer": "bad", "zero_shot": 0.25}


def test_of_equally_common_classes_the_first_in_the_alphabet_is_taken() -> None:
    assert baselines(LABELS, np.array([0, 1]), np.array([3]), 0.0).answer == "bad"
