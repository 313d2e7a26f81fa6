"""Figures of the evaluated examples by client and by category: who gains, and who is left behind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

from fedmezo.ledger.records import LOSS, Measured
from fedmezo.reporting.html.curves import group_lines, spread
from fedmezo.reporting.html.figure import Figure
from fedmezo.reporting.html.metrics import title, unit
from fedmezo.reporting.html.run import Run
from fedmezo.reporting.metrics import group_columns

PARTS: Mapping[str, Callable[[Measured], Mapping[str, float] | None]] = {
    "client": lambda measured: measured.clients,
    "category": lambda measured: measured.categories,
}


def group_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return for each run the metrics of the parts of its test examples; of val without test."""
    return [
        figure
        for number, run in enumerate(runs)
        for split in [name for name in ("test", "val") if name in run.splits][:1]
        for figure in _figures(number, run, split, f": {run.label}" if len(runs) > 1 else "")
    ]


def _figures(number: int, run: Run, split: str, whose: str) -> Iterator[Figure]:
    for place, part in enumerate(PARTS):
        for metric in (LOSS, *run.metrics):
            values = _values(run, split, metric, part)
            if len(values) > 1:
                yield Figure(
                    f"{split}-{group_columns(metric)[place].replace('_', '-')}-{number}",
                    f"{title(metric)} on the {split} examples of each {part}{whose}",
                    f"{len(values)} {'clients' if part == 'client' else 'categories'}; {spread(values)}.",
                    "lines",
                    "rounds done",
                    unit(metric),
                    group_lines(number, values, part),
                    integers=True,
                )


def _values(run: Run, split: str, metric: str, part: str) -> dict[str, dict[int, float]]:
    """Return for each client, or category, its values by rounds done."""
    found: dict[str, dict[int, float]] = {}
    for row in run.evaluations:
        measured = row.splits.get(split, {}).get(metric)
        for name, value in ((PARTS[part](measured) if measured else None) or {}).items():
            if isfinite(value):
                found.setdefault(f"client {name}" if part == "client" else name, {})[row.rounds_done] = value
    return found
