"""A run as a report sees it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.evaluation.metrics.loss import Loss
from fedmezo.evaluation.paired import PairedChange, paired_change
from fedmezo.federation.selection import best_evaluation
from fedmezo.ledger.records import LOSS, EvaluationRecord, Header, RoundRecord
from fedmezo.reporting.html.rounds import RoundRow

BACKPROP = "llmtrainer"
Held = Mapping[str, Counter[str]]  # a client's examples: of each split, how many of each category


@dataclass(frozen=True, eq=False)
class Run:
    """What the folder of a run holds; what is missing there is empty here, and told in the notes.

    Args:
        folder: of the run, as the user named it.
        label: that distinguishes it from the other runs of the report.
        outcome: how it ended, or that it did not.
        notes: what a reader must know about it.
        settings: every key of its configuration, by dotted name.
        header: of its ledger.
        records: rounds of its ledger.
        evaluations: of its ledger.
        rounds: of its metrics.
        examples: losses of every example, by (rounds done, split).
        partition: what each client holds.
        partition_hash: equal for equal divisions.
        environment: what it ran on.
        baselines: of each split, the accuracies that those of a classification are compared with.
        answers: of each split and metric of texts, how the model's answers changed.
    """

    folder: Path
    label: str
    outcome: str
    notes: Sequence[str]
    settings: Mapping[str, Any]
    header: Header | None
    records: Sequence[RoundRecord]
    evaluations: Sequence[EvaluationRecord]
    rounds: Sequence[RoundRow]
    examples: Mapping[tuple[int, str], ExampleSums]
    partition: Sequence[Held]
    partition_hash: str
    environment: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many rounds are done."""
        return max(len(self.records), len(self.rounds))

    @property
    def trainer(self) -> str:
        """The trainer's name."""
        return str(self.settings["trainer.type"])

    @property
    def backprop(self) -> bool:
        """Whether it is a run with backpropagation."""
        return self.trainer == BACKPROP

    @property
    def transport(self) -> str:
        """What travelled: scalars or weights; what the configuration says where no round tells."""
        if not self.records:
            return str(self.settings["federate.transport"])
        return "weights" if self.records[0].digest is not None else "scalars"

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of all trained parameters; None where their number is not known."""
        half = self.settings["train.is_enable_half"] and not self.settings["llm.adapter.use"]
        return None if self.header is None else self.header.size * (2 if half else 4)

    @property
    def best(self) -> EvaluationRecord | None:
        """The evaluation that picked the best model."""
        return best_evaluation(self.evaluations, str(self.settings["eval.best_res_update_round_wise_key"]))

    @property
    def splits(self) -> list[str]:
        """The evaluated splits."""
        found = [*self.evaluations[0].losses] if self.evaluations else []
        return found or [*{split: None for row in self.rounds for split in row.losses}]

    def losses(self, split: str) -> dict[int, float]:
        """Return the losses of a split by rounds done; those of the ledger come before those of the metrics."""
        metrics = {row.done: row.losses[split] for row in self.rounds if split in row.losses}
        ledger = {row.rounds_done: row.losses[split] for row in self.evaluations if split in row.losses}
        return dict(sorted((metrics | ledger).items()))

    @property
    def metrics(self) -> list[str]:
        """What is shown of its evaluations besides the loss: accuracies, and what the configuration names."""
        names = dict.fromkeys(("accuracy", *self.settings["eval.metrics"]))
        known = {name for row in self.evaluations for split in row.splits.values() for name in split}
        return [name for name in names if name != LOSS and (name in known or not known)]

    def results(self, split: str, metric: str) -> dict[int, float]:
        """Return a metric of a split by rounds done, where it is finite."""
        found = {row.rounds_done: row.value(split, metric) for row in self.evaluations}
        return {done: value for done, value in sorted(found.items()) if isfinite(value)}

    def change(self, split: str) -> PairedChange | None:
        """Return how a split's loss changed from the first evaluation to the last, on the same examples."""
        found = self.losses(split)
        before, after = (self._recorded(rounds, split) for rounds in (min(found, default=0), max(found, default=0)))
        return None if before is None or after is None or len(found) < 2 else _paired(before, after)

    def against(self, other: "Run", split: str) -> PairedChange | None:
        """Return how much a split's last loss differs from another run's, if both are of the same examples."""
        if self.header is None or other.header is None or self.header.hashes["data"] != other.header.hashes["data"]:
            return None
        before, after = (run._recorded(max(run.losses(split), default=0), split) for run in (other, self))
        return None if before is None or after is None else _paired(before, after)

    def _recorded(self, rounds: int, split: str) -> ExampleSums | None:
        """Return the losses of examples that the recorded loss is the mean of."""
        losses = self.examples.get((rounds, split))
        if losses is None or not self.settings["federate.make_global_eval"]:
            return losses
        return losses if isclose(losses.result(Loss()), self.losses(split).get(rounds, 0.0), rel_tol=1e-9) else None


def _paired(before: ExampleSums, after: ExampleSums) -> PairedChange | None:
    tokens = [sums.sums[LOSS].counts.tolist() for sums in (before, after)]
    same = before.indices.tolist() == after.indices.tolist() and tokens[0] == tokens[1]
    return paired_change(before, after, Loss()) if same else None
