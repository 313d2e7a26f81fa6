"""``metrics.jsonl``: a line a round, a projection of the ledger (only times and memory are its own)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedmezo.core.files import finite, saving, whole_lines
from fedmezo.federation.callbacks import Callback, RoundReport


class MetricsFile(Callback):
    """Writes the file; on a resumed run it is first rebuilt for the rounds that the ledger holds.

    Args:
        path: of the file.
        past: reports of the rounds already done, in order, without times.
    """

    def __init__(self, path: Path, past: Sequence[RoundReport] = ()) -> None:
        self.path = path
        known = {row["round"]: row for row in read_metrics(path)}
        rows = [metrics_row(report) for report in past]
        for row in rows:
            _restore_measurements(row, known.get(row["round"], {}))
        with saving(path):
            path.write_text("".join(_line(row) for row in rows), encoding="utf-8")

    def after_round(self, report: RoundReport) -> None:
        """Append the round's line."""
        with saving(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(metrics_row(report)))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a metrics file, [] if there is none."""
    return whole_lines(path)  # a damaged line holds nothing that the ledger does not, but times


def metrics_row(report: RoundReport) -> dict[str, Any]:
    """Return a round as the object that its line holds."""
    record = report.record
    losses = report.evaluation.losses if report.evaluation else {}
    return {
        "round": record.round_index,
        "train_loss": _null_if_nan(train_loss(report)),
        **{f"{split}_loss": _null_if_nan(loss) for split, loss in losses.items()},
        **_details(report),
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
    }


def _details(report: RoundReport) -> dict[str, Any]:
    """Return accuracy and exact match of evaluated splits, and losses and accuracies by client and category."""
    details = report.evaluation.details if report.evaluation else {}
    rows = {f"{split}_{name}": value for split, found in details.items() for name, value in found.items()}
    return {name: finite(value) for name, value in rows.items()}


def train_loss(report: RoundReport) -> float:
    """Return the mean train loss of the clients' rounds, weighted as their updates are."""
    rows = [row for row in report.record.clients if math.isfinite(row.train_loss) and row.weight > 0]
    total = sum(row.weight for row in rows)
    return sum(row.weight * row.train_loss for row in rows) / total if total else math.nan


def _restore_measurements(row: dict[str, Any], known: dict[str, Any]) -> None:
    row["seconds"], row["peak_memory_mib"] = known.get("seconds"), known.get("peak_memory_mib")
    for client, before in zip(row["clients"], known.get("clients", []), strict=False):
        client["seconds"] = before["seconds"]


def _null_if_nan(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
