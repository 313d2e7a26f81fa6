"""What training has cost, in forward passes of a training example: by operations that were counted."""

from pathlib import Path
from typing import Any

import numpy as np

from fedmezo.assembly import LearningTask
from fedmezo.reporting.metrics import FLOPS, read_metrics
from fedmezo.training.flops import flops_of_a_forward

EXAMPLES = 16  # whose mean a forward is


def spent_forwards(task: LearningTask, metrics: Path) -> dict[str, Any]:
    """Return for the summary: the operations of all rounds, of a plain forward, and how many forwards they make.

    A forward is the mean over training examples evenly spaced, each alone: that of all runs with these model and data.
    The sums are null where a round's row was lost: the run was killed between its ledger and its metrics.

    Args:
        task: of the run.
        metrics: its metrics file.
    """
    train = task.data.partition.union("train")
    places = np.linspace(0, len(train) - 1, min(EXAMPLES, len(train))).astype(int)
    forward = flops_of_a_forward(task.model, (task.collate(train[place : place + 1]) for place in places))
    rows = read_metrics(metrics)
    total = sum(row[FLOPS] for row in rows) if all(FLOPS in row for row in rows) else None
    return {"flops": total, "flops_of_a_forward": forward, "forwards": None if total is None else total / forward}
