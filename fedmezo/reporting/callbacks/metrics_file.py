"""``metrics.jsonl``: a line a round."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedmezo.core.files import saving
from fedmezo.core.run_folder import RunFolder
from fedmezo.reporting.callbacks import Callback, RoundReport, RunContext, register
from fedmezo.reporting.metrics import FLOPS, metrics_row, read_metrics


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


@register("metrics_file")
def for_run(run: RunContext) -> MetricsFile:
    """Return the callback of a run."""
    return MetricsFile(RunFolder(run.folder).metrics, run.past)


def _restore_measurements(row: dict[str, Any], known: dict[str, Any]) -> None:
    row["seconds"], row["peak_memory_mib"] = known.get("seconds"), known.get("peak_memory_mib")
    row |= {name: value for name, value in known.items() if name == FLOPS}
    for client, before in zip(row["clients"], known.get("clients", []), strict=False):
        client["seconds"] = before["seconds"]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
