"""Figures of the evaluated examples by client and by category: who gains, and who is left behind."""

from collections.abc import Iterator, Sequence
from math import isfinite

from fedmezo.reporting.html.curves import LOSS, SHARE, group_lines, spread
from fedmezo.reporting.html.figure import Figure
from fedmezo.reporting.html.run import Run

MEASURES = (
    ("clients", "client", "Loss", LOSS),
    ("client_accuracy", "client", "Token accuracy", SHARE),
    ("categories", "category", "Loss", LOSS),
    ("category_accuracy", "category", "Token accuracy", SHARE),
)


def group_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return for each run the losses and accuracies of the parts of its test examples; of val without test."""
    return [
        figure
        for number, run in enumerate(runs)
        for split in [name for name in ("test", "val") if name in run.splits][:1]
        for figure in _figures(number, run, split, f": {run.label}" if len(runs) > 1 else "")
    ]


def _figures(number: int, run: Run, split: str, whose: str) -> Iterator[Figure]:
    for group, part, measure, label in MEASURES:
        values = _values(run, split, group, part)
        if len(values) > 1:
            yield Figure(
                f"{split}-{group.replace('_', '-')}-{number}",
                f"{measure} on the {split} examples of each {part}{whose}",
                f"{len(values)} {'clients' if part == 'client' else 'categories'}; {spread(values)}.",
                "lines",
                "rounds done",
                label,
                group_lines(number, values, part),
                integers=True,
            )


def _values(run: Run, split: str, group: str, part: str) -> dict[str, dict[int, float]]:
    """Return for each member of a group its values by rounds done."""
    found: dict[str, dict[int, float]] = {}
    for row in run.evaluations:
        for name, value in row.details.get(split, {}).get(group, {}).items():
            if isfinite(value):
                found.setdefault(f"client {name}" if part == "client" else name, {})[row.rounds_done] = value
    return found
