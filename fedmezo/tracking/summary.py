"""``summary.json`` and the final table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedmezo.evaluation.paired import PairedChange
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.tracking import RoundReport
from fedmezo.tracking.metrics import read_metrics


def summarize(
    outcome: str,
    reports: Sequence[RoundReport],
    best: EvaluationRecord | None,
    changes: Mapping[str, PairedChange],
    metrics: Path,
) -> dict[str, Any]:
    """Return the facts of a run.

    Args:
        outcome: how it ended.
        reports: of all rounds, those before a resume included.
        best: evaluation.
        changes: of each split's loss over the run, on the same examples.
        metrics: the metrics file, for times and memory.
    """
    rows = read_metrics(metrics)
    traffic = [client for report in reports for client in report.traffic]
    return {
        "outcome": outcome,
        "rounds": len(reports),
        "best": None if best is None else {"rounds_done": best.rounds_done, "losses": best.losses},
        "losses": {split: asdict(change) | {"percent": change.percent} for split, change in changes.items()},
        "nonfinite": sum(client.nonfinite for report in reports for client in report.record.clients),
        "bytes_up": sum(client.up for client in traffic),
        "bytes_down": sum(client.down for client in traffic),
        "seconds": sum(row["seconds"] or 0.0 for row in rows),
        "peak_memory_mib": max((row["peak_memory_mib"] or 0.0 for row in rows), default=0.0),
    }


def summary_table(summary: Mapping[str, Any], changes: Mapping[str, PairedChange], size: int) -> str:
    """Return the final table, ``size`` being the number of trainable parameters."""
    rows = [("rounds", f"{summary['rounds']} ({summary['outcome']})")]
    rows += [(f"{split} loss", str(change)) for split, change in changes.items()]
    if summary["best"]:
        rows.append(("best", f"after {summary['best']['rounds_done']} rounds"))
    if summary["nonfinite"]:
        rows.append(("losses not finite", str(summary["nonfinite"])))
    rows += [
        (
            "bytes",
            f"{human(summary['bytes_up'])} up, {human(summary['bytes_down'])} down, all clients and rounds",
        ),
        (
            "parameters",
            f"{size:,} trained; sending them would take {human(4 * size)} each way per client and round",
        ),
        ("peak memory", f"{summary['peak_memory_mib']:,.0f} MiB"),
        (
            "time",
            f"{summary['seconds']:.0f} s, {summary['seconds'] / max(1, summary['rounds']):.1f} s a round",
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def human(count: float) -> str:
    """Return a number of bytes in the unit that suits it (powers of 1000).

    Examples:
        >>> human(1843200)
        '1.8 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
