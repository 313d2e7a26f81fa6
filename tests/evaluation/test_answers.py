"""Evaluations of answers, without a model: what is asked once, what is remembered, what is compared."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.evaluation.answers import AnswerEvaluations, compared
from fedmezo.evaluation.bootstrap import bootstrap
from fedmezo.text_metrics import registry

RIGHT = [("one",), ("two", "ii"), ("three",), ("four",)]
SPLITS = {"val": np.array([0]), "test": np.array([1, 3])}


class Pupil:
    """Answers rightly from so many rounds on, which stand in its parameters, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, parameters: Tensor, indices: NDArray[np.int64]) -> list[str]:
        self.asked.append(indices.tolist())
        return [str(RIGHT[index][-1]) if parameters[0] > index else "none" for index in indices]


def evaluations(file: Path, pupil: Pupil, names: tuple[str, ...] = ("f1",), limit: int = 9) -> AnswerEvaluations:
    return AnswerEvaluations(pupil, {name: registry[name] for name in names}, SPLITS, RIGHT, limit, file)


def test_answers_are_compared_with_those_before_training(tmp_path: Path) -> None:
    own = evaluations(tmp_path / "answers.jsonl", pupil := Pupil(), ("exact_match", "f1"))
    own.run(0, torch.tensor([0.0]))
    assert own.results(2) == {}
    own.run(2, torch.tensor([2.0]))
    assert pupil.asked == [[0], [1, 3]] * 2
    found = own.results(2)
    assert [*found] == [*SPLITS] and all([*own] == ["exact_match", "f1"] for own in found.values())
    assert [found["val"]["f1"][side] for side in ("before", "after", "change")] == [0.0, 1.0, 1.0]
    assert found["test"]["f1"]["after"] == 0.5 and found["test"]["f1"]["examples"] == 2


def test_nothing_is_asked_twice_while_the_question_is_the_same(tmp_path: Path) -> None:
    file, pupil = tmp_path / "answers.jsonl", Pupil()
    for names, limit, asked in ((("f1",), 9, 2), (("f1",), 9, 2), (("f1",), 8, 4), (("f1", "exact_match"), 8, 6)):
        evaluations(file, pupil, names, limit).run(0, torch.tensor([4.0]))
        assert len(pupil.asked) == asked
    evaluations(file, pupil, ("exact_match",), 8).run(0, torch.tensor([4.0]))
    assert len(pupil.asked) == 6  # it is among those that were computed


def test_a_line_that_is_torn_or_of_something_else_is_answered_anew(tmp_path: Path) -> None:
    file, pupil = tmp_path / "answers.jsonl", Pupil()
    evaluations(file, pupil).run(0, torch.tensor([4.0]))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1][:-9])
    evaluations(file, pupil).run(0, torch.tensor([4.0]))
    assert pupil.asked[2:] == [[1, 3]]
    file.write_bytes(lines[0].replace(b'"scores"', b'"other"') + b'{"rounds_done": 0}\n')
    evaluations(file, pupil).run(0, torch.tensor([4.0]))
    assert pupil.asked[3:] == [[0], [1, 3]]


def test_the_interval_of_the_change_is_of_the_same_examples() -> None:
    draw = np.random.default_rng(3)
    before = draw.random(50)
    found = compared(before, before + 0.25)
    assert found["change"] == pytest.approx(0.25) and found["intervals"]["change"] == pytest.approx([0.25, 0.25])
    assert found["intervals"]["before"] == [*bootstrap(before)[1:]]
