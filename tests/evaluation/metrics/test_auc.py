"""AUC: by its definition, whatever the margins are, with the standard error of the jackknife."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.evaluation.example_sums import ExampleSums, Sums
from fedmezo.evaluation.metrics.make import make_metric, token_sums

AUC = make_metric("auc")
MARGINS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=20)


def sums(examples: list[tuple[int, bool]]) -> ExampleSums:
    """Return the sums of examples with a margin, which are of the second class or not."""
    logits = torch.tensor([[3.0, 3.0 + margin] for margin, _ in examples])
    labels = torch.tensor([int(second) for _, second in examples])
    values, counts = token_sums(AUC, logits, labels, torch.zeros(len(examples)))
    return ExampleSums(np.arange(len(examples)), {"auc": Sums(values.numpy(), counts.numpy())})


def by_definition(examples: list[tuple[int, bool]]) -> float:
    pairs = [(low, high) for low, first in examples if not first for high, second in examples if second]
    return sum((high > low) + 0.5 * (high == low) for low, high in pairs) / len(pairs) if pairs else math.nan


@given(examples=MARGINS)
def test_it_is_the_share_of_pairs_in_the_right_order(examples: list[tuple[int, bool]]) -> None:
    assert sums(examples).result(AUC) == pytest.approx(by_definition(examples), nan_ok=True)


@given(examples=MARGINS)
def test_an_examples_own_value_is_its_pseudo_value(examples: list[tuple[int, bool]]) -> None:
    n, total = len(examples), by_definition(examples)
    without = [by_definition(examples[:i] + examples[i + 1 :]) for i in range(n)]
    expected = [n * total - (n - 1) * (total if math.isnan(own) else own) for own in without]
    assert sums(examples).each(AUC).tolist() == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_a_shift_of_all_margins_changes_nothing() -> None:
    examples = [(0, False), (1, True), (2, False), (3, True)]
    assert sums([(margin + 7, second) for margin, second in examples]).result(AUC) == sums(examples).result(AUC) == 0.75
