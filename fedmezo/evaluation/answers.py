"""What the model answers to held-out examples, before and after training, by metrics of texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.files import append_line, finite, whole_lines
from fedmezo.core.log import LOG
from fedmezo.core.out_of_memory import during
from fedmezo.core.text import when
from fedmezo.evaluation.bootstrap import bootstrap
from fedmezo.text_metrics import Reference, TextMetric

if TYPE_CHECKING:
    from torch import Tensor

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class AnswerEvaluations:
    """Evaluates the model's answers and remembers them.

    Args:
        answer: the answers to some examples, given parameters [d] and which examples.
        metrics: by name.
        splits: the examples of each split that are answered, ascending.
        references: the right answers of every example.
        limit: tokens of an answer at most.
        file: JSON lines, one for each split and time: the answers and their scores.
    """

    answer: "Callable[[Tensor, NDArray[np.int64]], list[str]]"
    metrics: Mapping[str, TextMetric]
    splits: Mapping[str, NDArray[np.int64]]
    references: Sequence[Sequence[Reference]]
    limit: int
    file: Path

    def run(self, rounds_done: int, parameters: "Tensor") -> None:
        """Have parameters [d] answer what is not answered yet after so many rounds."""
        for split, indices in self.splits.items():
            if self._row(rounds_done, split) is None:
                with during(f"answers after {rounds_done} rounds"):
                    row = self._answered(rounds_done, split, self.answer(parameters, indices))
                append_line(self.file, finite(row))
                LOG.info(f"answers {when(rounds_done)}: {self._told(split, row)}")

    def results(self, rounds_done: int) -> dict[str, dict[str, Any]]:
        """Return by split and metric how answers changed from before training; nothing where one side is missing."""
        found: dict[str, dict[str, Any]] = {}
        for split in self.splits:
            before, after = self._row(0, split), self._row(rounds_done, split)
            if before and after:
                sides = ((before["scores"][name], after["scores"][name]) for name in self.metrics)
                found[split] = {
                    name: compared(*map(np.array, each)) for name, each in zip(self.metrics, sides, strict=True)
                }
        return found

    def _answered(self, rounds_done: int, split: str, answers: Sequence[str]) -> dict[str, Any]:
        indices = self.splits[split].tolist()
        right = [self.references[index] for index in indices]
        scores = {
            name: [metric(text, own) for text, own in zip(answers, right, strict=True)]
            for name, metric in self.metrics.items()
        }
        asked = {"rounds_done": rounds_done, "split": split, "max_new_tokens": self.limit, "indices": indices}
        return asked | {"answers": list(answers), "references": right, "scores": scores}

    def _row(self, rounds_done: int, split: str) -> Row | None:
        """Return the line of the file that says what is asked for; the last, if there are several."""
        wanted = {"rounds_done": rounds_done, "split": split, "max_new_tokens": self.limit}
        wanted["indices"] = self.splits[split].tolist()
        rows = [row for row in whole_lines(self.file) if all(row.get(name) == each for name, each in wanted.items())]
        return next((row for row in reversed(rows) if self.metrics.keys() <= row.get("scores", {}).keys()), None)

    def _told(self, split: str, row: Row) -> str:
        parts = []
        for name in self.metrics:
            mean, low, high = bootstrap(np.array(row["scores"][name]))
            parts.append(f"{split} {name.replace('_', ' ')} {shown(mean, (low, high))}")
        return ", ".join(parts)


def compared(before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
    """Return the means of scores of the same examples, and of their changes, with intervals, as they are written."""
    parts = {"before": bootstrap(before), "after": bootstrap(after), "change": bootstrap(after - before)}
    means = {name: found.mean for name, found in parts.items()}
    intervals = {name: [found.low, found.high] for name, found in parts.items()}
    return {**means, "intervals": intervals, "examples": len(before)}


def shown(mean: float, interval: Sequence[float]) -> str:
    """Return a share and its interval in percent.

    Examples:
        >>> shown(0.5, (0.42, 0.58))
        '50.0 % [42.0, 58.0]'
    """
    low, high = interval
    return f"{100 * mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
