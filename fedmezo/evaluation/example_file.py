"""``evaluations.jsonl``: the losses of every example of every evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedmezo.core.files import append_line, finite, whole_lines
from fedmezo.evaluation.losses import ExampleLosses

ARRAYS = ("indices", "sums", "tokens", "correct")
COLUMNS = {"rounds_done", "split", *ARRAYS}


def read_examples(path: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """Return the file's lines by (rounds done, split), {} if there is no file."""
    rows = whole_lines(path)
    return {(row["rounds_done"], row["split"]): row for row in rows if row.keys() >= COLUMNS}


def append_examples(path: Path, rounds_done: int, split: str, losses: ExampleLosses) -> None:
    """Write the line of an evaluated split."""
    columns = {name: finite(getattr(losses, name).tolist()) for name in ARRAYS}
    append_line(path, {"rounds_done": rounds_done, "split": split, **columns})


def losses_of(row: Mapping[str, Any]) -> ExampleLosses:
    """Return what a line says."""
    sums = np.array(row["sums"], dtype=np.float64)  # null, which is what NaN is in JSON, becomes NaN again
    return ExampleLosses(np.array(row["indices"]), sums, np.array(row["tokens"]), np.array(row["correct"]))
