"""The best evaluation, and early stopping."""

import math

from fedmezo.federation.selection import best_evaluation, out_of_patience
from fedmezo.ledger.records import EvaluationRecord, Measured
from tests.ledger.made import evaluation


def evaluations(*losses: float) -> list[EvaluationRecord]:
    return [evaluation(10 * number, val=loss) for number, loss in enumerate(losses)]


def test_the_best_is_the_earliest_lowest_finite_one() -> None:
    rows = evaluations(3.0, math.nan, 1.0, 1.0, 2.0)
    assert best_evaluation(rows, "val_loss") is rows[2]
    assert best_evaluation(rows, "test_loss") is None
    assert best_evaluation(evaluations(math.nan), "val_loss") is None


def test_the_best_by_another_result_is_the_highest() -> None:
    found = [{"accuracy": 0.5, "exact_match": 0.0}, {"accuracy": 0.7, "exact_match": 0.2}, {"accuracy": math.nan}]
    rows = [
        EvaluationRecord(
            number,
            {"val": {"loss": Measured(3.0 - number)} | {name: Measured(value, True) for name, value in own.items()}},
        )
        for number, own in enumerate(found)
    ]
    assert best_evaluation(rows, "val_accuracy") is rows[1]
    assert best_evaluation(rows, "val_exact_match") is rows[1]
    assert best_evaluation(rows, "val_loss") is rows[2]
    assert best_evaluation(rows, "test_accuracy") is None
    assert best_evaluation(evaluations(1.0), "val_accuracy") is None


def test_patience_counts_evaluations_without_a_better_one() -> None:
    assert not out_of_patience(evaluations(3.0, 2.0, 2.5), "val_loss", patience=2)
    assert out_of_patience(evaluations(3.0, 2.0, 2.5, 2.0), "val_loss", patience=2)
    assert not out_of_patience(evaluations(3.0, 4.0, 5.0, 6.0), "val_loss", patience=0)
    assert not out_of_patience([], "val_loss", patience=1)
