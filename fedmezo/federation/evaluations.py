"""The evaluations of a run: when, on what, and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor

from fedmezo.core.log import LOG
from fedmezo.core.out_of_memory import during
from fedmezo.evaluation.example_file import append_examples, losses_of, read_examples
from fedmezo.evaluation.losses import Evaluator, ExampleLosses
from fedmezo.evaluation.paired import Metric, PairedChange, paired_change
from fedmezo.federation.selection import best_evaluation, out_of_patience
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord


@dataclass
class Evaluations:
    """Evaluates the global model and remembers the results.

    Args:
        evaluator: of parameters.
        ledger: where results are recorded.
        examples_file: JSON lines with the loss of every example of every evaluation.
        every: rounds between evaluations.
        key: the result that picks the best model, such as val_loss.
        patience: evaluations without a better one after which the run stops; 0 for never.
        save_best: called with the parameters of a new best.
    """

    evaluator: Evaluator
    ledger: Ledger
    examples_file: Path
    every: int
    key: str
    patience: int
    save_best: Callable[[Tensor], None]
    records: list[EvaluationRecord] = field(default_factory=list)

    def due(self, rounds_done: int, total_rounds: int) -> bool:
        """Return whether to evaluate after so many rounds: before the first, every ``every`` rounds, and at the end."""
        missing = all(record.rounds_done != rounds_done for record in self.records)
        return missing and (rounds_done % self.every == 0 or rounds_done == total_rounds)

    def run(self, rounds_done: int, parameters: Tensor) -> EvaluationRecord:
        """Evaluate parameters [d]; the best model is on the disk before its evaluation is recorded."""
        with during(f"evaluation after {rounds_done} rounds"):
            losses = self.evaluator(parameters)
        record = EvaluationRecord(rounds_done, self.evaluator.summary(losses), self.evaluator.details(losses))
        self._write_examples(rounds_done, losses)
        if best_evaluation([*self.records, record], self.key) is record:
            self.save_best(parameters)
        self.ledger.append(record)
        self.records.append(record)
        return record

    @property
    def best(self) -> EvaluationRecord | None:
        """The earliest of the best evaluations."""
        return best_evaluation(self.records, self.key)

    def exhausted(self) -> bool:
        """Return whether early stopping says stop."""
        return out_of_patience(self.records, self.key, self.patience)

    def changes(self, first: int, last: int, metric: Metric) -> dict[str, PairedChange]:
        """Return for each split how a metric changed between the evaluations after ``first`` and ``last`` rounds.

        A split whose examples' losses were lost with their file is left out.
        """
        found = {key: row for key, row in read_examples(self.examples_file).items() if self._is_recorded(*key, row)}
        return {
            split: paired_change(losses_of(found[first, split]), losses_of(found[last, split]), metric)
            for split in self.evaluator.splits
            if (first, split) in found and (last, split) in found
        }

    def _is_recorded(self, rounds_done: int, split: str, row: dict[str, Any]) -> bool:
        """Return whether the losses of examples are those that a recorded loss is the mean of."""
        recorded = [record.losses[split] for record in self.records if record.rounds_done == rounds_done]
        if split not in self.evaluator.splits or not recorded:
            return False
        mean = self.evaluator.summary({split: losses_of(row)})[split]
        if mean == recorded[-1] or not (isfinite(mean) or isfinite(recorded[-1])):
            return True
        LOG.warning(f"{self.examples_file}: the losses after round {rounds_done} are not those recorded; left out")
        return False

    def _write_examples(self, rounds_done: int, losses: Mapping[str, ExampleLosses]) -> None:
        # a run stopped between these lines and the record evaluates again, to the same
        done = read_examples(self.examples_file)
        for split, rows in losses.items():
            if (rounds_done, split) not in done:
                append_examples(self.examples_file, rounds_done, split, rows)
