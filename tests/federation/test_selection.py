"""The best evaluation, and early stopping."""

import math

from fedmezo.federation.selection import best_evaluation, out_of_patience
from fedmezo.ledger.records import EvaluationRecord


def evaluations(*losses: float) -> list[EvaluationRecord]:
    return [EvaluationRecord(10 * number, {"val": loss}) for number, loss in enumerate(losses)]


def test_the_best_is_the_earliest_lowest_finite_one() -> None:
    rows = evaluations(3.0, math.nan, 1.0, 1.0, 2.0)
    assert best_evaluation(rows, "val") is rows[2]
    assert best_evaluation(rows, "test") is None
    assert best_evaluation(evaluations(math.nan), "val") is None


def test_patience_counts_evaluations_without_a_better_one() -> None:
    assert not out_of_patience(evaluations(3.0, 2.0, 2.5), "val", patience=2)
    assert out_of_patience(evaluations(3.0, 2.0, 2.5, 2.0), "val", patience=2)
    assert not out_of_patience(evaluations(3.0, 4.0, 5.0, 6.0), "val", patience=0)
    assert not out_of_patience([], "val", patience=1)
