"""What came of a task at one point of a run: scores with standard errors, and every answer; in files of the run."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.files import finite, whole_lines
from fedmezo.core.run_folder import RunFolder
from fedmezo.evaluation.paired import mean_difference

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Score:
    """A metric of a task, or of a group of tasks.

    Args:
        task: its name.
        metric: what was measured, such as exact_match.
        filter: how the answer was found in what the model said, such as strict-match.
        value: over all examples.
        standard_error: of the value; None where lm_eval gives none.
        examples: how many there were.
    """

    task: str
    metric: str
    filter: str
    value: float
    standard_error: float | None
    examples: int

    @property
    def key(self) -> Key:
        """What was measured, to be found again at another point."""
        return self.task, self.metric, self.filter


@dataclass(frozen=True)
class Result:
    """A task at one point.

    Args:
        rounds_done: the point: the model after so many rounds.
        settings: all that the scores depend on.
        versions: of the task or tasks.
        seconds: that it took, as far as it was not interrupted.
        scores: of the task, or of a group and its tasks.
        answers: a file of JSON lines, one for each example and filter.
    """

    rounds_done: int
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    seconds: float
    scores: tuple[Score, ...]
    answers: Path

    @cached_property
    def _values(self) -> dict[Key, dict[int, float]]:
        found: dict[Key, dict[int, float]] = {}
        for row in whole_lines(self.answers):
            for metric, value in row["scores"].items():
                found.setdefault((row["task"], metric, row["filter"]), {})[row["example"]] = float(value)
        return found

    def change_to(self, after: "Result", key: Key) -> tuple[float, float] | None:
        """Return the mean change of each example's own score, and its standard error; None where there are no such."""
        ours, theirs = self._values.get(key, {}), after._values.get(key, {})
        if not ours or ours.keys() != theirs.keys():
            return None
        return mean_difference(_column(ours, ours), _column(theirs, ours))


def _column(values: Mapping[int, float], order: Mapping[int, float]) -> NDArray[np.float64]:
    return np.array([values[example] for example in order])


def write_result(
    folder: RunFolder,
    name: str,
    rounds_done: int,
    settings: Mapping[str, Any],
    seconds: float,
    found: Mapping[str, Any],
) -> Result:
    """Write what lm_eval found, the answers first, and return it.

    Args:
        folder: to write ``NAME.json`` and ``NAME.jsonl`` into.
        name: of the task.
        rounds_done: as in :class:`Result`.
        settings: likewise.
        seconds: likewise.
        found: as ``lm_eval.simple_evaluate`` returns it.
    """
    answers = folder.path / f"{name}.jsonl"
    rows = [_answer(task, sample) for task, samples in found["samples"].items() for sample in samples]
    folder.write_text(answers.name, "".join(json.dumps(finite(row), allow_nan=False) + "\n" for row in rows))
    scores = tuple(_scores(found))
    result = Result(rounds_done, settings, found["versions"], seconds, scores, answers)
    folder.write_json(f"{name}.json", asdict(result) | {"answers": answers.name})
    return result


def read_result(folder: RunFolder, name: str, rounds_done: int, settings: Mapping[str, Any]) -> Result | None:
    """Return what an earlier evaluation of the same settings wrote; None if there is none."""
    answers = folder.path / f"{name}.jsonl"
    try:
        row = json.loads((folder.path / f"{name}.json").read_text(encoding="utf-8"))
        scores = tuple(Score(**score) for score in row["scores"])
        same = row["settings"] == settings and answers.is_file()
        return Result(rounds_done, settings, row["versions"], row["seconds"], scores, answers) if same else None
    except (OSError, ValueError, LookupError, TypeError):  # none, or not of this version
        return None


def _scores(found: Mapping[str, Any]) -> Iterator[Score]:
    for task, row in found["results"].items():
        for name, value in row.items():
            metric, comma, filter_name = name.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, Real):
                continue
            error = row.get(f"{metric}_stderr,{filter_name}")
            spread = float(error) if isinstance(error, Real) else None  # lm_eval says N/A where it knows none
            yield Score(task, metric, filter_name, float(value), spread, row["sample_len"])


def _answer(task: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the answers' file."""
    return {
        "task": task,
        "example": sample["doc_id"],
        "filter": sample["filter"],
        "asked": [str(request[0]) for request in sample["arguments"]],
        "answers": [_plain(answer) for answer in sample["resps"]],
        "taken": [_plain(answer) for answer in sample["filtered_resps"]],
        "target": _plain(sample["target"]),
        "scores": {name: float(sample[name]) for name in sample["metrics"] if isinstance(sample[name], Real)},
    }


def _plain(value: Any) -> Any:
    """Return what JSON can say of a value."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | bool | int | float | None) else str(value)
