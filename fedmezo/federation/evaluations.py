"""The evaluations of a run: when, on what, and what follows from them."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from torch import Tensor

from fedmezo.core.log import LOG
from fedmezo.core.out_of_memory import during
from fedmezo.evaluation.evaluator import Evaluator
from fedmezo.evaluation.example_file import append_examples, read_examples, sums_of
from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.evaluation.metrics import Metric
from fedmezo.evaluation.paired import PairedChange, paired_change
from fedmezo.federation.selection import best_evaluation, out_of_patience
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord


@dataclass
class Evaluations:
    """Evaluates the global model and remembers the results.

    Args:
        evaluator: of parameters.
        ledger: where results are recorded.
        examples_file: JSON lines with the sums of every example of every evaluation.
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
            sums = self.evaluator(parameters)
        record = EvaluationRecord(
            rounds_done, {split: self.evaluator.results(split, own) for split, own in sums.items()}
        )
        self._write_examples(rounds_done, sums)
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

    def changes(self, first: int, last: int, metrics: Sequence[Metric]) -> dict[str, dict[str, PairedChange]]:
        """Return, by metric and split, the changes between the evaluations after ``first`` and ``last`` rounds.

        A split whose examples' sums were lost with their file is left out.
        """
        sound = self._sound_sums({first, last})
        return {
            metric.name: {
                split: paired_change(sound[first, split], sound[last, split], metric)
                for split in self.evaluator.splits
                if all(at in sound and sound[at].has(metric) for at in ((first, split), (last, split)))
            }
            for metric in metrics
        }

    def sums(self, rounds_done: int) -> dict[str, ExampleSums]:
        """Return the sums of examples of the evaluation after so many rounds, by split, but for lost ones."""
        return {split: own for (_, split), own in self._sound_sums({rounds_done}).items()}

    def _sound_sums(self, rounds: Set[int]) -> dict[tuple[int, str], ExampleSums]:
        """Return the sums of examples, by (rounds done, split), that the recorded results follow from."""
        found = {}
        for (rounds_done, split), row in read_examples(self.examples_file).items():
            recorded = [record for record in self.records if record.rounds_done == rounds_done]
            if rounds_done in rounds and split in self.evaluator.splits and recorded:
                sums = sums_of(row)
                if self._gives(recorded[-1], split, sums):
                    found[rounds_done, split] = sums
                else:
                    message = f"the {split} examples after round {rounds_done} are not those recorded; left out"
                    LOG.warning(f"{self.examples_file}: {message}")
        return found

    def _gives(self, record: EvaluationRecord, split: str, sums: ExampleSums) -> bool:
        """Return whether every result of a record is that of the sums."""
        metrics = [each for each in self.evaluator.metrics if each.name in record.splits[split] and sums.has(each)]
        pairs = [(self.evaluator.result(split, sums, each), record.value(split, each.name)) for each in metrics]
        return all(found == wanted or not (isfinite(found) or isfinite(wanted)) for found, wanted in pairs)

    def _write_examples(self, rounds_done: int, sums: Mapping[str, ExampleSums]) -> None:
        # a run stopped between these lines and the record evaluates again, to the same
        done = read_examples(self.examples_file)
        for split, rows in sums.items():
            if (rounds_done, split) not in done:
                append_examples(self.examples_file, rounds_done, split, rows)
