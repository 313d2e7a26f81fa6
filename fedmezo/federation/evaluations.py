"""The evaluations of a run: when, on what, and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from fedmezo.evaluation.losses import Evaluator, ExampleLosses
from fedmezo.evaluation.paired import Metric, PairedChange, paired_change
from fedmezo.federation.selection import best_evaluation, out_of_patience
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.lines import append_line, finite, whole_lines
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.log import LOG

ARRAYS = ("indices", "sums", "tokens", "correct")
COLUMNS = {"rounds_done", "split", *ARRAYS}


@dataclass
class Evaluations:
    """Evaluates the global model and remembers the results.

    Args:
        evaluator: of parameters.
        ledger: where results are recorded.
        examples_file: JSON lines with the loss of every example of every evaluation.
        every: rounds between evaluations.
        key: the split whose loss picks the best model.
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
        """The earliest evaluation with the lowest loss."""
        return best_evaluation(self.records, self.key)

    def exhausted(self) -> bool:
        """Return whether early stopping says stop."""
        return out_of_patience(self.records, self.key, self.patience)

    def changes(self, first: int, last: int, metric: Metric) -> dict[str, PairedChange]:
        """Return for each split how a metric changed between the evaluations after ``first`` and ``last`` rounds.

        A split whose examples' losses were lost with their file is left out.
        """
        found = {key: row for key, row in self._written().items() if self._is_recorded(*key, row)}
        return {
            split: paired_change(_losses(found[first, split]), _losses(found[last, split]), metric)
            for split in self.evaluator.splits
            if (first, split) in found and (last, split) in found
        }

    def _is_recorded(self, rounds_done: int, split: str, row: dict[str, Any]) -> bool:
        """Return whether the losses of examples are those that a recorded loss is the mean of."""
        recorded = [record.losses[split] for record in self.records if record.rounds_done == rounds_done]
        if split not in self.evaluator.splits or not recorded:
            return False
        mean = self.evaluator.summary({split: _losses(row)})[split]
        if mean == recorded[-1] or not (isfinite(mean) or isfinite(recorded[-1])):
            return True
        LOG.warning(f"{self.examples_file}: the losses after round {rounds_done} are not those recorded; left out")
        return False

    def _write_examples(self, rounds_done: int, losses: Mapping[str, ExampleLosses]) -> None:
        done = self._written()  # a run stopped between these lines and the record evaluates again, to the same
        for split, rows in losses.items():
            if (rounds_done, split) in done:
                continue
            columns = {name: finite(getattr(rows, name).tolist()) for name in ARRAYS}
            append_line(self.examples_file, {"rounds_done": rounds_done, "split": split, **columns})

    def _written(self) -> dict[tuple[int, str], dict[str, Any]]:
        rows = whole_lines(self.examples_file)
        return {(row["rounds_done"], row["split"]): row for row in rows if row.keys() >= COLUMNS}


def _losses(row: Mapping[str, Any]) -> ExampleLosses:
    sums = np.array(row["sums"], dtype=np.float64)  # null, which is what NaN is in JSON, becomes NaN again
    return ExampleLosses(np.array(row["indices"]), sums, np.array(row["tokens"]), np.array(row["correct"]))
