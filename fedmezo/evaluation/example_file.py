"""``evaluations.jsonl``: the sums of every example of every evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedmezo.core.files import append_line, finite, whole_lines
from fedmezo.evaluation.example_sums import ExampleSums, Sums

COLUMNS = {"rounds_done", "split", "indices", "sums", "tokens", "correct"}
FURTHER = "metrics"  # the column of all metrics but loss and accuracy


def read_examples(path: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """Return the file's lines by (rounds done, split), {} if there is no file."""
    rows = whole_lines(path)
    return {(row["rounds_done"], row["split"]): row for row in rows if row.keys() >= COLUMNS}


def append_examples(path: Path, rounds_done: int, split: str, sums: ExampleSums) -> None:
    """Write the line of an evaluated split."""
    (losses, tokens), (correct, _) = sums.sums["loss"], sums.sums["accuracy"]
    columns = {"indices": sums.indices, "sums": losses, "tokens": tokens, "correct": correct.astype(np.int64)}
    row = {"rounds_done": rounds_done, "split": split, **{name: column.tolist() for name, column in columns.items()}}
    further = {
        name: {"sums": own.values.tolist(), "counts": own.counts.tolist()}
        for name, own in sums.sums.items()
        if name not in ("loss", "accuracy")
    }
    append_line(path, finite(row | ({FURTHER: further} if further else {})))


def sums_of(row: Mapping[str, Any]) -> ExampleSums:
    """Return what a line says."""
    tokens = np.array(row["tokens"])
    sums = {"loss": Sums(_numbers(row["sums"]), tokens), "accuracy": Sums(_numbers(row["correct"]), tokens)}
    for name, own in row.get(FURTHER, {}).items():
        sums[name] = Sums(_numbers(own["sums"]), np.array(own["counts"]))
    return ExampleSums(np.array(row["indices"]), sums)


def _numbers(column: list[float | None]) -> np.ndarray:
    return np.array(column, dtype=np.float64)  # null, which is what NaN is in JSON, becomes NaN again
