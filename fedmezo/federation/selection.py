"""Which evaluation was the best, and whether to stop: functions of the evaluations so far."""

from collections.abc import Sequence
from math import isfinite

from fedmezo.ledger.records import EvaluationRecord


def best_evaluation(evaluations: Sequence[EvaluationRecord], split: str) -> EvaluationRecord | None:
    """Return the earliest evaluation with the lowest finite loss on a split."""
    finite = [record for record in evaluations if isfinite(record.losses.get(split, float("nan")))]
    return min(finite, key=lambda record: record.losses[split], default=None)


def out_of_patience(evaluations: Sequence[EvaluationRecord], split: str, patience: int) -> bool:
    """Return whether the last ``patience`` evaluations brought no new best (0: never)."""
    best = best_evaluation(evaluations, split)
    if patience == 0 or best is None:
        return False
    return len(evaluations) - 1 - list(evaluations).index(best) >= patience
