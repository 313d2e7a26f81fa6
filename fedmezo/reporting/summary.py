"""``summary.json`` and the final table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedmezo.core.text import aligned, human, when
from fedmezo.evaluation.paired import Metric, PairedChange
from fedmezo.federation.callbacks import RoundReport
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.reporting.metrics import read_metrics

MOST_GROUPS = 8
SHOWN_GROUPS = {"clients": "client", "categories": "category"}  # in the table, by their losses

Changes = Mapping[Metric, Mapping[str, PairedChange]]


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
        "losses": _shown(changes.get("loss", {})),
        "metrics": {metric: _shown(splits) for metric, splits in changes.items() if metric != "loss"},
        "groups": {
            kind: _groups(evaluations, kind) for kind in (*SHOWN_GROUPS, "client_accuracy", "category_accuracy")
        },
        "nonfinite": sum(client.nonfinite for report in reports for client in report.record.clients),
        "rejected": sum(len(report.record.rejected) for report in reports),
        "bytes_up": sum(client.up for client in traffic),
        "bytes_down": sum(client.down for client in traffic),
        "seconds": sum(row["seconds"] or 0.0 for row in rows),
        "peak_memory_mib": max((row["peak_memory_mib"] or 0.0 for row in rows), default=0.0),
    }


def _shown(changes: Mapping[str, PairedChange]) -> dict[str, Any]:
    return {split: asdict(change) | {"percent": change.percent} for split, change in changes.items()}


def _groups(evaluations: Sequence[EvaluationRecord], kind: str) -> dict[str, dict[str, list[float]]]:
    """Return for each split and client, or category, its value in the first evaluation and in the last."""
    if not evaluations:
        return {}
    first, last = evaluations[0].details, evaluations[-1].details
    return {
        split: {name: [value, last[split][kind][name]] for name, value in found[kind].items()}
        for split, found in first.items()
        if kind in found and kind in last[split]  # a run that an earlier version began lacks accuracies
    }


def summary_table(summary: Mapping[str, Any], changes: Changes, size: int, itemsize: int = 4) -> str:
    """Return the final table, ``size`` being the number of trainable parameters, and ``itemsize`` bytes of one."""
    rows = [("rounds", f"{summary['rounds']} ({summary['outcome']})")]
    rows += [
        (f"{split} {metric.replace('_', ' ')}", str(change))
        for metric, splits in changes.items()
        for split, change in splits.items()
    ]
    rows += _group_rows(summary["groups"])
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
        ("peak memory", f"{summary['peak_memory_mib']:,.0f} MiB"),
        (
            "time",
            f"{summary['seconds']:.0f} s, {summary['seconds'] / max(1, summary['rounds']):.1f} s a round",
        ),
    ]
    return aligned(rows)


def _projection(paper: Mapping[str, int] | None) -> list[tuple[str, str]]:
    if paper is None or paper["sent"] == paper["as_weights"]:
        return []
    sent, weights = human(paper["sent"]), human(paper["as_weights"])
    return [("the paper's run", f"{sent} so, {weights} as parameters (500 rounds, 3 billion parameters)")]


def _group_rows(groups: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for kind, part in SHOWN_GROUPS.items():
        for split, losses in groups[kind].items():
            if 1 < len(losses) <= MOST_GROUPS:
                parts = [f"{name} {_short(before)} -> {_short(after)}" for name, (before, after) in losses.items()]
                rows.append((f"{split} by {part}", "; ".join(parts)))
    return rows


def _short(loss: float | None) -> str:
    return "not finite" if loss is None or not math.isfinite(loss) else f"{loss:.3f}"
