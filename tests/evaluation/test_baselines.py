"""What a classification is compared with."""

import numpy as np

from fedmezo.evaluation.baselines import baselines, with_threshold
from fedmezo.evaluation.example_sums import Sums

LABELS = ["good", "bad", "bad", "good", "bad", None, "good"]


def test_the_majority_is_that_of_training_and_counts_on_what_is_evaluated() -> None:
    found = baselines(LABELS, np.array([0, 1, 2]), np.array([3, 4, 6]), 0.25)
    assert found.to_json() == {"majority": 1 / 3, "answer": "bad", "zero_shot": 0.25}


def test_of_equally_common_classes_the_first_in_the_alphabet_is_taken() -> None:
    assert baselines(LABELS, np.array([0, 1]), np.array([3]), 0.0).answer == "bad"


def sums(margins: list[float], classes: list[int]) -> Sums:
    return Sums(np.array(margins), np.array(classes))


def test_the_threshold_is_that_of_training_and_counts_on_what_is_evaluated() -> None:
    train = sums([9.0, 2.0, 4.0, 3.0, 8.0], [2, 1, 2, 1, 2])  # 3.5 tells them apart
    assert with_threshold(train, sums([3.4, 3.6, 3.4, 3.6], [1, 2, 2, 1])) == 0.5
    assert with_threshold(train, sums([3.4, 3.6], [1, 2])) == 1.0


def test_without_an_order_the_threshold_is_beyond_all() -> None:
    assert with_threshold(sums([2.0, 1.0], [1, 2]), sums([7.0, -7.0], [1, 1])) in (0.0, 1.0)
    assert with_threshold(sums([1.0, 2.0, 3.0], [2, 2, 2]), sums([-9.0], [2])) == 1.0
