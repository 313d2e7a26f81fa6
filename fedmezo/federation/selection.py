"""Which evaluation was the best, and whether to stop: functions of the evaluations so far."""

import math
from collections.abc import Sequence

from fedmezo.ledger.records import EvaluationRecord


def best_evaluation(evaluations: Sequence[EvaluationRecord], key: str) -> EvaluationRecord | None:
    """Return the earliest of the evaluations that are best by a finite result.

    Args:
        evaluations: in order.
        key: which result, as SPLIT_METRIC; the metric says whether the lower or the higher is better.
    """
    finite = [record for record in evaluations if math.isfinite(_cost(record, key))]
    return min(finite, key=lambda record: _cost(record, key), default=None)


def _cost(record: EvaluationRecord, key: str) -> float:
    split, _, metric = key.partition("_")
    found = record.splits.get(split, {}).get(metric)
    if found is None:
        return math.nan
    return -found.value if found.higher_is_better else found.value


def out_of_patience(evaluations: Sequence[EvaluationRecord], key: str, patience: int) -> bool:
    """Return whether the last ``patience`` evaluations brought no new best (0: never)."""
    best = best_evaluation(evaluations, key)
    if patience == 0 or best is None:
        return False
    return len(evaluations) - 1 - list(evaluations).index(best) >= patience
