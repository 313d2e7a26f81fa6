"""What the runs of a suite have given, as tidy rows and as measures."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.suites.jobs import Job

Row = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A finished run of a suite."""

    job: Job

    @cached_property
    def metrics(self) -> list[Row]:
        """A row a round."""
        text = (self.job.folder / "metrics.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @cached_property
    def summary(self) -> Row:
        """The final table's numbers."""
        found: Row = json.loads((self.job.folder / "summary.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def environment(self) -> Row:
        """What it ran on."""
        found: Row = json.loads((self.job.folder / "environment.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def evaluations(self) -> list[EvaluationRecord]:
        """Of the run, in order."""
        return Ledger(self.job.folder / "ledger.bin").evaluations()

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """Return (rounds done, value) of a metric; the evaluation before training is of 0 rounds."""
        split, _, name = metric.partition("_")
        if name == "loss" and split in ("val", "test"):
            return [(row.rounds_done, row.losses[split]) for row in self.evaluations if split in row.losses]
        return [(row["round"] + 1, float(row[metric])) for row in self.metrics if row.get(metric) is not None]

    def measure(self, name: str) -> float:
        """Return one number of the run: see :data:`MEASURES`, or ``METRIC@ROUNDS``."""
        metric, at, rounds = name.partition("@")
        if at:
            return dict(self.curve(metric)).get(int(rounds), float("nan"))
        return float(MEASURES[name](self))


def _loss(run: Finished) -> Row:
    losses: Mapping[str, Row] = run.summary["losses"]
    return losses["test"] if "test" in losses else next(iter(losses.values()))


def _per_round(run: Finished, key: str) -> float:
    rows = run.metrics[1:] or run.metrics  # the first also warms up
    return float(sorted(row[key] for row in rows)[len(rows) // 2])


def _client_bytes(run: Finished, key: str) -> float:
    found = [client[key] for row in run.metrics for client in row["clients"]]
    return float(sum(found) / max(1, len(found)))


MEASURES: Mapping[str, Callable[[Finished], float]] = {
    "before": lambda run: float(_loss(run)["before"]),
    "after": lambda run: float(_loss(run)["after"]),
    "drop": lambda run: float(_loss(run)["before"] - _loss(run)["after"]),
    "accuracy": lambda run: float(run.metrics[-1].get("test_accuracy", float("nan"))),
    "exact_match": lambda run: float(run.metrics[-1].get("test_exact_match", float("nan"))),
    "seconds": lambda run: _per_round(run, "seconds"),
    "memory": lambda run: float(run.summary["peak_memory_mib"]),
    "bytes_up": lambda run: _client_bytes(run, "bytes_up"),
    "bytes_down": lambda run: _client_bytes(run, "bytes_down"),
    "bytes": lambda run: float(run.summary["bytes_up"] + run.summary["bytes_down"]),
    "nonfinite": lambda run: float(run.summary["nonfinite"]),
}
UNITS = {
    "before": "loss before",
    "after": "loss after",
    "drop": "drop of the loss",
    "accuracy": "token accuracy",
    "exact_match": "exact match",
    "seconds": "s a round",
    "memory": "peak MiB",
    "bytes_up": "B up, client and round",
    "bytes_down": "B down, client and round",
    "bytes": "B in all",
    "nonfinite": "losses not finite",
}


def tidy(runs: Sequence[Finished]) -> list[Row]:
    """Return a row for every value of every curve: the suite's axes, seed, rounds, metric, value."""
    rows = []
    for run in runs:
        for metric in ("train_loss", "val_loss", "test_loss", "seconds", "peak_memory_mib"):
            for rounds, value in run.curve(metric):
                labels: Row = dict(run.job.arm.labels)
                rows.append(labels | {"seed": run.job.seed, "rounds": rounds, "metric": metric, "value": value})
    return rows


def finished(todo: Sequence[Job]) -> list[Finished]:
    """Return the jobs that have come to their end."""
    return [Finished(job) for job in todo if job.finished]


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with equal keys."""
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
