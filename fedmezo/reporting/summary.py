"""``summary.json`` and the final table."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedmezo.core.text import aligned, human, when
from fedmezo.evaluation.answers import shown
from fedmezo.evaluation.paired import PairedChange
from fedmezo.federation.callbacks import RoundReport
from fedmezo.ledger.records import LOSS, EvaluationRecord, Measured
from fedmezo.reporting.metrics import group_columns, read_metrics

MOST_GROUPS = 8
ALWAYS = ("loss", "accuracy")  # metrics whose groups have an entry, if an empty one

Changes = Mapping[str, Mapping[str, PairedChange]]  # by metric and split


def summarize(
    outcome: str,
    reports: Sequence[RoundReport],
    evaluations: Sequence[EvaluationRecord],
    best: EvaluationRecord | None,
    changes: Changes,
    metrics: Path,
) -> dict[str, Any]:
    """Return the facts of a run.

    Args:
        outcome: how it ended.
        reports: of all rounds, those before a resume included.
        evaluations: of the run, in order.
        best: of them.
        changes: over the run, on the same examples.
        metrics: the metrics file, for times and memory.
    """
    rows = read_metrics(metrics)
    traffic = [client for report in reports for client in report.traffic]
    return {
        "outcome": outcome,
        "rounds": len(reports),
        "best": None if best is None else {"rounds_done": best.rounds_done, "losses": best.losses},
        "losses": _shown(changes.get(LOSS, {})),
        "metrics": {metric: _shown(splits) for metric, splits in changes.items() if metric != LOSS},
        "groups": _all_groups(evaluations),
        "nonfinite": sum(client.nonfinite for report in reports for client in report.record.clients),
        "rejected": sum(len(report.record.rejected) for report in reports),
        "bytes_up": sum(client.up for client in traffic),
        "bytes_down": sum(client.down for client in traffic),
        "seconds": sum(row["seconds"] or 0.0 for row in rows),
        "peak_memory_mib": max((row["peak_memory_mib"] or 0.0 for row in rows), default=0.0),
    }


def _shown(changes: Mapping[str, PairedChange]) -> dict[str, Any]:
    return {split: change.to_json() for split, change in changes.items()}


Groups = dict[str, dict[str, list[float]]]  # by split and name: a value in the first evaluation and in the last


def _all_groups(evaluations: Sequence[EvaluationRecord]) -> dict[str, Groups]:
    """Return every metric's values by client and by category, named as in metrics.jsonl."""
    splits = evaluations[-1].splits.values() if evaluations else ()
    recorded = (name for found in splits for name, each in found.items() if each.clients is not None)
    groups: dict[str, Groups] = {}
    for metric in dict.fromkeys((*ALWAYS, *recorded)):
        by_client, by_category = group_columns(metric)
        groups[by_client] = _groups(evaluations, metric, lambda measured: measured.clients)
        groups[by_category] = _groups(evaluations, metric, lambda measured: measured.categories)
    return groups


def _groups(
    evaluations: Sequence[EvaluationRecord], metric: str, part: Callable[[Measured], Mapping[str, float] | None]
) -> Groups:
    """Return a metric by client or by category; a run that an earlier version began lacks accuracies."""
    if not evaluations:
        return {}
    first, last = (
        {split: part(found[metric]) for split, found in record.splits.items() if metric in found}
        for record in (evaluations[0], evaluations[-1])
    )
    return {
        split: {name: [value, after[name]] for name, value in before.items()}
        for split, before in first.items()
        if before is not None and (after := last.get(split)) is not None
    }


def summary_table(summary: Mapping[str, Any], changes: Changes, size: int, itemsize: int = 4) -> str:
    """Return the final table, ``size`` being the number of trainable parameters, and ``itemsize`` bytes of one."""
    rows = [("rounds", f"{summary['rounds']} ({summary['outcome']})")]
    rows += [
        (f"{split} {change.metric.words}", str(change))
        for splits in changes.values()
        for split, change in splits.items()
    ]
    for split, found in summary.get("baselines", {}).items():
        rows.append((f"{split} zero-shot", f"{100 * found['zero_shot']:.1f} % right before training"))
        if (shifted := found.get("zero_shot_threshold")) is not None:
            words = f"{100 * shifted:.1f} % right before training, with the threshold that is best on training examples"
            rows.append((f"{split} with a threshold", words))
        rows.append((f"{split} majority", f"{100 * found['majority']:.1f} % right by always saying {found['answer']}"))
    rows += [
        (f"{split} answers, {name.replace('_', ' ')}", answers_text(found))
        for split, own in summary.get("answers", {}).items()
        for name, found in own.items()
    ]
    rows += _group_rows(summary["groups"], LOSS, "", _short)
    for metric in (next(iter(splits.values())).metric for splits in changes.values() if splits):
        if metric.name != LOSS:
            rows += _group_rows(summary["groups"], metric.name, f" {metric.words}", metric.text)
    if summary["best"]:
        rows.append(("best", when(summary["best"]["rounds_done"])))
    if summary["nonfinite"]:
        rows.append(("losses not finite", str(summary["nonfinite"])))
    if summary["rejected"]:
        rows.append(("answers not taken", str(summary["rejected"])))
    rows += [
        (
            "bytes",
            f"{human(summary['bytes_up'])} up, {human(summary['bytes_down'])} down, all clients and rounds",
        ),
        (
            "parameters",
            f"{size:,} trained; sending them would take {human(itemsize * size)} each way per client and round",
        ),
        *_projection(summary.get("paper_bytes")),
        *_forwards(summary.get("forwards")),
        ("peak memory", f"{summary['peak_memory_mib']:,.0f} MiB"),
        (
            "time",
            f"{summary['seconds']:.0f} s, {summary['seconds'] / max(1, summary['rounds']):.1f} s a round",
        ),
    ]
    return aligned(rows)


def answers_text(found: Mapping[str, Any]) -> str:
    """Return how a metric of the model's answers changed, with its 95 % intervals."""
    before, after = (shown(found[side], found["intervals"][side]) for side in ("before", "after"))
    low, high = (100 * bound for bound in found["intervals"]["change"])
    change = f"{100 * found['change']:+.1f} points [{low:+.1f}, {high:+.1f}]"
    return f"{before} -> {after} ({change}, {found['examples']} examples)"


def _forwards(count: float | None) -> list[tuple[str, str]]:
    return [] if count is None else [("forwards", f"{count:,.1f} of a training example, by the operations of all")]


def _projection(paper: Mapping[str, int] | None) -> list[tuple[str, str]]:
    if paper is None or paper["sent"] == paper["as_weights"]:
        return []
    sent, weights = human(paper["sent"]), human(paper["as_weights"])
    return [("the paper's run", f"{sent} so, {weights} as parameters (500 rounds, 3 billion parameters)")]


def _group_rows(
    groups: Mapping[str, Any], metric: str, words: str, text: Callable[[float], str]
) -> list[tuple[str, str]]:
    rows = []
    for column, part in zip(group_columns(metric), ("client", "category"), strict=True):
        for split, values in groups.get(column, {}).items():
            if 1 < len(values) <= MOST_GROUPS:
                parts = [f"{name} {text(before)} -> {text(after)}" for name, (before, after) in values.items()]
                rows.append((f"{split}{words} by {part}", "; ".join(parts)))
    return rows


def _short(loss: float | None) -> str:
    return "not finite" if loss is None or not math.isfinite(loss) else f"{loss:.3f}"
