"""What the runs of a suite have given, as tidy rows and as measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
from yacs.config import CfgNode

from fedmezo import config
from fedmezo.assembly.arguments import step_rule
from fedmezo.commands.experiments.suites.jobs import Job
from fedmezo.core.errors import ResourceError
from fedmezo.core.files import whole_lines
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.reporting.metrics import FLOPS
from fedmezo.zeroth_order.estimators import is_symmetric
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.steps.cost import lanes_of_steps

Row = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A finished run of a suite."""

    job: Job

    @cached_property
    def metrics(self) -> list[Row]:
        """A row a round."""
        found = whole_lines(self.job.folder / "metrics.jsonl")
        if len(found) != self.summary["rounds"]:
            raise self._damaged("metrics.jsonl")
        return found

    @cached_property
    def summary(self) -> Row:
        """The final table's numbers."""
        return self._object("summary.json")

    @cached_property
    def config(self) -> CfgNode:
        """What it was made with."""
        return config.load(self.job.config, recorded=True)

    @cached_property
    def environment(self) -> Row:
        """What it ran on."""
        return self._object("environment.json")

    @cached_property
    def evaluations(self) -> list[EvaluationRecord]:
        """Of the run, in order."""
        try:
            ledger = Ledger(self.job.folder / "ledger.bin")
        except ResourceError as error:
            raise self._damaged("ledger.bin") from error
        if ledger.fault:
            raise self._damaged("ledger.bin")
        return ledger.evaluations()

    def _object(self, name: str) -> Row:
        try:
            return self.job.read(name)
        except (OSError, ValueError) as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> ResourceError:
        advice = "delete the folder of this run, and --resume has it again"
        return ResourceError(f"{self.job.folder / name}\n    is missing or damaged: {advice}")

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """Return (rounds done, value) of a metric, or of a task as ``TASK:METRIC,FILTER``.

        The evaluation before training is of 0 rounds.
        """
        if ":" in metric:
            return self._scores(metric)
        split, _, name = metric.partition("_")
        if split in ("val", "test"):
            return [
                (row.rounds_done, row.value(split, name))
                for row in self.evaluations
                if name in row.splits.get(split, ())
            ]
        if name in ("up", "down"):
            return [(row["round"] + 1, _client_bytes([row], metric)) for row in self.metrics]
        return [(row["round"] + 1, float(row[metric])) for row in self.metrics if row.get(metric) is not None]

    def spent(self, cost: str) -> dict[int, float]:
        """Return what all clients together have spent, by rounds done: see :data:`COSTS`."""
        each = [COSTS[cost](self, row) for row in self.metrics]
        return dict(enumerate(accumulate(each, initial=0.0)))

    def at_budget(self, name: str) -> float:
        """Return a metric, or what was spent, where the arm's budget of forwards was spent.

        Between two evaluations it is on the line between them; where less was spent in all, it is the last.
        """
        forwards = self.spent("forwards")
        curve = list(self.spent(name).items()) if name in COSTS else self.curve(name)
        if not curve:
            return float("nan")
        spent, values = [forwards[rounds] for rounds, _ in curve], [value for _, value in curve]
        return float(np.interp(self.job.arm.budget or np.inf, spent, values))

    def forwards(self, samples: int) -> float:
        """Return the forward passes that a client has made for its examples of a round, counted in layers.

        Only where operations are not counted: this knows nothing of layers that are kept, or of heads.
        A backward pass is two. Of K blocks, a direction in number b begins there: it is (K - b) / K of a forward.
        """
        if self.config.trainer.type == "llmtrainer":
            return 3 * samples
        size, estimator = self.config.dataloader.batch_size, make_estimator(self.config.zo.estimator)
        sizes = [min(size, samples - done) for done in range(0, samples, size)]
        lanes = lanes_of_steps(estimator, step_rule(self.config), self.config.zo.queries, len(sizes))
        blocks, own = self.config.zo.blocks, 0 if is_symmetric(estimator) else 1  # lanes at the point itself
        if blocks == 1:
            return float(sum(map(mul, lanes, sizes)))
        used = self.config.zo.use_blocks or range(blocks)
        share = sum((blocks - min(block, blocks - 1)) / blocks for block in used) / len(used)
        return float(sum(size * (1 + (lane - own) * share) for lane, size in zip(lanes, sizes, strict=True)))

    def measure(self, name: str) -> float:
        """Return one number of the run: see :data:`MEASURES`, or ``METRIC@ROUNDS``."""
        metric, at, rounds = name.rpartition("@")
        if at:
            curve = dict(self.curve(metric))
            return curve.get(max(curve, default=0) if rounds == "final" else int(rounds), float("nan"))
        return float(MEASURES[name](self))

    def _scores(self, name: str) -> list[tuple[int, float]]:
        asked = self.job.evaluation.rounds if self.job.evaluation else ()
        return [
            (self.summary["rounds"] if rounds == "final" else int(rounds), float(score["value"]))
            for rounds in asked
            for score in self.job.scores(rounds)
            if f"{score['task']}:{score['metric']},{score['filter']}" == name
        ]

    @property
    def sound(self) -> bool:
        """Whether its loss is finite."""
        return all(_loss(self)[when] is not None for when in ("before", "after"))


def _split(run: Finished) -> str:
    losses: Mapping[str, Row] = run.summary["losses"]
    return "test" if "test" in losses else next(iter(losses))


def _loss(run: Finished) -> Row:
    found: Row = run.summary["losses"][_split(run)]
    return found


def _after(run: Finished) -> float:
    return run.at_budget(f"{_split(run)}_loss") if run.job.arm.budget else float(_loss(run)["after"])


def _forwards(run: Finished, row: Row) -> float:
    if run.config.eval.count_flops:
        return float(row.get(FLOPS, np.nan)) / float(run.summary["flops_of_a_forward"])
    return float(sum(run.forwards(client["samples"]) for client in row["clients"]))


def _per_round(run: Finished, key: str) -> float:
    rows = run.metrics[1:] or run.metrics  # the first also warms up
    return float(sorted(row[key] for row in rows)[len(rows) // 2])


def _accuracy(run: Finished, which: int) -> float:
    found = run.curve("test_accuracy")
    return found[which][1] if found else float("nan")


def _majority(run: Finished) -> float:
    found: Mapping[str, Row] = run.summary.get("baselines", {})
    return float(found["test"]["majority"]) if "test" in found else float("nan")


def _rate(run: Finished) -> float:
    rate = run.config.train.optimizer.lr
    return float("nan") if rate == "auto" else float(rate)


def _bytes_of_a_client(run: Finished) -> float:
    return run.spent("bytes")[len(run.metrics)] / float(run.config.federate.client_num)


def _client_bytes(rows: Sequence[Row], key: str) -> float:
    found = [client[key] for row in rows for client in row["clients"]]
    return float(sum(found) / max(1, len(found)))


COSTS: Mapping[str, Callable[[Finished, Row], float]] = {
    "forwards": _forwards,
    "client_seconds": lambda run, row: float(sum(client["seconds"] or 0.0 for client in row["clients"])),
    "bytes": lambda run, row: float(sum(client["bytes_up"] + client["bytes_down"] for client in row["clients"])),
}
MEASURES: Mapping[str, Callable[[Finished], float]] = {
    "before": lambda run: float(_loss(run)["before"]),
    "after": _after,
    "drop": lambda run: float(_loss(run)["before"]) - _after(run),
    "accuracy": lambda run: run.at_budget("test_accuracy") if run.job.arm.budget else _accuracy(run, -1),
    "accuracy_before": lambda run: _accuracy(run, 0),
    "majority": _majority,
    "exact_match": lambda run: float(run.metrics[-1].get("test_exact_match", float("nan"))),
    "seconds": lambda run: _per_round(run, "seconds"),
    "memory": lambda run: float(run.summary["peak_memory_mib"]),
    "bytes_up": lambda run: _client_bytes(run.metrics, "bytes_up"),
    "bytes_down": lambda run: _client_bytes(run.metrics, "bytes_down"),
    "bytes": lambda run: run.at_budget("bytes"),
    "client_seconds": lambda run: run.at_budget("client_seconds"),
    "rate": _rate,
    "bytes_of_a_client": _bytes_of_a_client,
    "forwards": lambda run: run.at_budget("forwards"),
    "nonfinite": lambda run: float(run.summary["nonfinite"]),
}
CURVES = (
    *("train_loss", "val_loss", "val_accuracy", "val_exact_match", "test_loss", "test_accuracy", "test_exact_match"),
    *("bytes_up", "bytes_down", "seconds"),
)
UNITS = {
    "before": "loss before",
    "after": "loss after",
    "drop": "drop of the loss",
    "accuracy": "accuracy",
    "accuracy_before": "accuracy before",
    "majority": "majority class",
    "exact_match": "exact match",
    "seconds": "s a round",
    "memory": "peak MiB",
    "bytes_up": "B up, client and round",
    "bytes_down": "B down, client and round",
    "bytes": "B in all",
    "client_seconds": "s of the clients' work, in all",
    "rate": "rate",
    "bytes_of_a_client": "B of a client, up and down",
    "forwards": "forwards of an example, in all",
    "nonfinite": "losses not finite",
}


def tidy(runs: Sequence[Finished], more: Sequence[str] = ()) -> list[Row]:
    """Return a row for a value of a curve after each evaluation: the suite's axes, seed, rounds, metric, value.

    What is known of every round is in the runs' own ``metrics.jsonl``; of thousands of rounds it is no table to read.

    Args:
        runs: of the suite.
        more: metrics besides the usual ones.
    """
    rows = []
    for run in runs:
        evaluated = {row.rounds_done for row in run.evaluations}
        labels: Row = {**run.job.arm.labels, "seed": run.job.seed}
        for metric in (*CURVES, *more):
            rows += [
                labels | {"rounds": rounds, "metric": metric, "value": value}
                for rounds, value in run.curve(metric)
                if rounds in evaluated
            ]
    return rows


def counted(jobs: Sequence[Job]) -> tuple[list[Finished], dict[str, str]]:
    """Return the runs that count, and of the others by name why they do not."""
    runs, others = [], {}
    for job in jobs:
        run = Finished(job)
        if job.finished and run.sound:
            runs.append(run)
        else:
            others[job.folder.name] = "its loss is not finite" if job.finished else job.outcome or "not finished"
    return runs, others


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with equal keys."""
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
