"""F1: by its definition, whatever the examples are, with the standard error of the jackknife."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.evaluation.example_sums import ExampleSums, Sums
from fedmezo.evaluation.metrics.make import make_metric, token_sums
from fedmezo.evaluation.paired import paired_change

F1 = make_metric("f1")
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25)


def sums(pairs: list[tuple[int, int]]) -> ExampleSums:
    """Return the sums of examples of a class, for which another one was chosen."""
    labels = torch.tensor([label for label, _ in pairs])
    logits = torch.nn.functional.one_hot(torch.tensor([chosen for _, chosen in pairs]), 4).float()
    values, counts = token_sums(F1, logits, labels, torch.zeros(len(pairs)))
    return ExampleSums(np.arange(len(pairs)), {"f1": Sums(values.numpy(), counts.numpy())})


def by_definition(pairs: list[tuple[int, int]]) -> float:
    scores = []
    for one in {each for pair in pairs for each in pair}:
        right = sum(pair == (one, one) for pair in pairs)
        said, held = sum(chosen == one for _, chosen in pairs), sum(label == one for label, _ in pairs)
        precision, recall = right / said if said else 0.0, right / held if held else 0.0
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return sum(scores) / len(scores)


@given(pairs=PAIRS)
def test_it_is_the_mean_over_classes_of_the_harmonic_mean(pairs: list[tuple[int, int]]) -> None:
    assert sums(pairs).result(F1) == pytest.approx(by_definition(pairs), rel=1e-12)


@given(pairs=PAIRS)
def test_an_examples_own_value_is_its_pseudo_value(pairs: list[tuple[int, int]]) -> None:
    n, found = len(pairs), sums(pairs).each(F1)
    if n == 1:
        assert found.tolist() == [by_definition(pairs)]
        return
    expected = [n * by_definition(pairs) - (n - 1) * by_definition(pairs[:i] + pairs[i + 1 :]) for i in range(n)]
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


def test_a_part_has_the_score_of_its_own_examples() -> None:
    whole = sums([(0, 0), (1, 0), (1, 1), (0, 0)])
    assert whole.of(np.array([0, 3])).result(F1) == 1.0
    assert whole.of(np.array([1])).result(F1) == 0.0
    assert math.isnan(whole.of(np.array([9])).result(F1))


def test_two_points_are_compared_on_the_same_examples() -> None:
    before, after = sums([(0, 0), (1, 0), (1, 0), (0, 0)]), sums([(0, 0), (1, 1), (1, 1), (0, 0)])
    change = paired_change(before, after, F1)
    assert change.before == pytest.approx(1 / 3) and (change.after, change.examples) == (1.0, 4)
    assert change.standard_error > 0 and "33.3 % -> 100.0 % (+66.7 points" in str(change)
