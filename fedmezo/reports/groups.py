"""Figures of the evaluated examples by client and by category: who gains, and who is left behind."""

from collections.abc import Sequence
from math import isfinite

from fedmezo.reports.curves import LOSS, SHARE, group_lines, spread
from fedmezo.reports.figure import Figure
from fedmezo.reports.run import Run

MEASURES = (
    ("clients", "client", "Loss", LOSS),
    ("client_accuracy", "client", "Token accuracy", SHARE),
    ("categories", "category", "Loss", LOSS),
    ("category_accuracy", "category", "Token accuracy", SHARE),
)


def group_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return for each run the losses and accuracies of the parts of its test examples; of val without test."""
    return [
        _figure(number, run, split, *measure, whose=f": {run.label}" if len(runs) > 1 else "")
        for number, run in enumerate(runs)
        for split in [name for name in ("test", "val") if name in run.splits][:1]
        for measure in MEASURES
        if len(_values(run, split, *measure[:2])) > 1
    ]


def _figure(number: int, run: Run, split: str, group: str, part: str, measure: str, label: str, whose: str) -> Figure:
    values = _values(run, split, group, part)
    kinds = f"{len(values)} {'clients' if part == 'client' else 'categories'}"
    return Figure(
        f"{split}-{group.replace('_', '-')}-{number}",
        f"{measure} on the {split} examples of each {part}{whose}",
        f"{kinds}; {spread(values)}.",
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
