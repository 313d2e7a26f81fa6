"""Which evaluation was the best, and whether to stop: functions of the evaluations so far."""

from collections.abc import Sequence
from math import isfinite

from fedmezo.ledger.records import EvaluationRecord


def best_evaluation(evaluations: Sequence[EvaluationRecord], key: str) -> EvaluationRecord | None:
    """Return the earliest of the evaluations that are best by a finite result.

    Args:
        evaluations: in order.
        key: which result: SPLIT_loss, the lower the better; or SPLIT_accuracy, SPLIT_exact_match, the higher.
    """
    finite = [record for record in evaluations if isfinite(_cost(record, key))]
    return min(finite, key=lambda record: _cost(record, key), default=None)


def _cost(record: EvaluationRecord, key: str) -> float:
    split, _, metric = key.partition("_")
    if metric == "loss":
        return record.losses.get(split, float("nan"))
    return -float(record.details.get(split, {}).get(metric, float("nan")))


def out_of_patience(evaluations: Sequence[EvaluationRecord], key: str, patience: int) -> bool:
    """Return whether the last ``patience`` evaluations brought no new best (0: never)."""
    best = best_evaluation(evaluations, key)
    if patience == 0 or best is None:
        return False
    return len(evaluations) - 1 - list(evaluations).index(best) >= patience
