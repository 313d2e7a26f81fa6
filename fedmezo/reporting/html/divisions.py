"""Figures of how the data are divided among the clients: a bar a client."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fedmezo.data.partition import NO_CATEGORY, SPLITS
from fedmezo.reporting.html.figure import Figure, Series
from fedmezo.reporting.html.run import Run

MOST_CATEGORIES = 9
OTHER = "(other)"


def division_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return a figure for each division of the data that a run has; equal divisions have one."""
    found: dict[str, list[Run]] = {}
    for run in (run for run in runs if run.partition):
        found.setdefault(run.partition_hash, []).append(run)
    return [_figure(number, own, len(runs)) for number, own in enumerate(found.values())]


def _figure(number: int, runs: Sequence[Run], all_runs: int) -> Figure:
    counts = _counts(runs[0])
    clients = len(runs[0].partition)
    totals = [sum(own) for own in zip(*counts.values(), strict=True)]
    whose = "" if len(runs) == all_runs else f": {', '.join(run.label for run in runs)}"
    spread = f"{min(totals)}" if min(totals) == max(totals) else f"{min(totals)} to {max(totals)}"
    by = "split" if set(counts) <= set(SPLITS) else "category"
    names = [f"client {client}" for client in range(clients)]
    same = "the same division for all runs" if all_runs > 1 and len(runs) == all_runs else ""
    text = f"{clients} clients with {spread} examples each, by {by}" + (f"; {same}." if same else ".")
    series = [Series(name, names, values, None, style) for style, (name, values) in enumerate(counts.items())]
    return Figure(f"partition-{number}", f"Examples of each client{whose}", text, "stack", "client", "examples", series)


def _counts(run: Run) -> Mapping[str, Sequence[int]]:
    """Return for each part of the bars its length for each client: by category, or by split where there is none."""
    held = [sum(client.values(), Counter()) for client in run.partition]
    totals = sum(held, Counter[str]())
    if set(totals) <= {NO_CATEGORY}:
        return {split: [client[split].total() for client in run.partition] for split in SPLITS}
    named = [name for name, _ in totals.most_common(MOST_CATEGORIES)]
    counts = {name: [client[name] for client in held] for name in named}
    if len(totals) > len(named):
        counts[OTHER] = [client.total() - sum(client[name] for name in named) for client in held]
    return counts
