"""The lines of ``metrics.jsonl``: rounds as objects, a projection of the ledger (only times and memory are its own)."""

import math
from pathlib import Path
from typing import Any

from fedmezo.core.files import finite, whole_lines
from fedmezo.federation.callbacks import RoundReport
from fedmezo.ledger.records import LOSS, EvaluationRecord

FLOPS = "flops"  # of a round, where they are counted


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a metrics file, [] if there is none."""
    return whole_lines(path)  # a damaged line holds nothing that the ledger does not, but times


def metrics_row(report: RoundReport) -> dict[str, Any]:
    """Return a round as the object that its line holds."""
    record = report.record
    return {
        "round": record.round_index,
        "train_loss": _null_if_nan(train_loss(report)),
        **(_evaluated(report.evaluation) if report.evaluation else {}),
        "clients": [
            {
                "client": client.client,
                "loss": _null_if_nan(client.train_loss),
                "learning_rate": client.learning_rate,
                "samples": client.examples,
                "nonfinite": client.nonfinite,
                "seconds": client.seconds if report.seconds is not None else None,
                "bytes_up": traffic.up,
                "bytes_down": traffic.down,
            }
            for client, traffic in zip(record.clients, report.traffic, strict=True)
        ],
        "rejected": [{"client": row.client, "reason": row.reason} for row in record.rejected],
        "seconds": report.seconds,
        "peak_memory_mib": report.peak_memory_mib,
        **({} if report.flops is None else {FLOPS: report.flops}),
    }


def evaluated(record: EvaluationRecord) -> dict[str, float]:
    """Return every result of an evaluation as ``SPLIT_METRIC``, the losses first."""
    found = {f"{split}_{LOSS}": loss for split, loss in record.losses.items()}
    return found | {f"{split}_{name}": each.value for split, own in record.splits.items() for name, each in own.items()}


def group_columns(metric: str) -> tuple[str, str]:
    """Return what a metric by client, and by category, is called in files; those of the loss are older than others."""
    return ("clients", "categories") if metric == LOSS else (f"client_{metric}", f"category_{metric}")


def _evaluated(record: EvaluationRecord) -> dict[str, Any]:
    found: dict[str, Any] = {f"{split}_{LOSS}": loss for split, loss in record.losses.items()}
    for split, own in record.splits.items():
        found |= {f"{split}_{name}": each.value for name, each in own.items()}
        for name, each in own.items():
            columns = zip(group_columns(name), (each.clients, each.categories), strict=True)
            found |= {f"{split}_{column}": group for column, group in columns if group is not None}
    return {name: finite(value) for name, value in found.items()}


def train_loss(report: RoundReport) -> float:
    """Return the mean train loss of the clients' rounds, weighted as their updates are."""
    rows = [row for row in report.record.clients if math.isfinite(row.train_loss) and row.weight > 0]
    total = sum(row.weight for row in rows)
    return sum(row.weight * row.train_loss for row in rows) / total if total else math.nan


def _null_if_nan(value: float) -> float | None:
    return value if math.isfinite(value) else None
