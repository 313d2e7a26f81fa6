"""What every registered metric keeps."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.evaluation.example_sums import ExampleSums, Sums
from fedmezo.evaluation.metrics import Metric, registry
from fedmezo.evaluation.metrics.make import make_metric, make_metrics, token_sums
from tests.evaluation.made import sums_of

MEANS = [name for name in registry.names() if not registry[name].among_labels]  # that of classes is in test_f1.py
names = pytest.mark.parametrize("name", MEANS)
VOCABULARY, TOKENS = 7, 12
ROWS = torch.tensor([0] * 5 + [1] * 1 + [2] * 6)


def tokens(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, labels and losses of twelve tokens, of three examples."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(TOKENS, VOCABULARY, generator=draw) * 3
    labels = torch.randint(VOCABULARY, (TOKENS,), generator=draw)
    return logits, labels, cross_entropy(logits, labels, ROWS)


def scored(metric: Metric, seed: int, parts: list[slice]) -> ExampleSums:
    """Return the sums of the three examples, their tokens seen in parts."""
    source = make_metric(metric.sums_of) if metric.sums_of else metric
    values, counts = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    for part in parts:
        own, counted = token_sums(source, *(each[part] for each in tokens(seed)))
        values.index_add_(0, ROWS[part], own)
        counts.index_add_(0, ROWS[part], counted)
    return ExampleSums(np.arange(3), {source.name: Sums(values.numpy(), counts.numpy())})


@names
@given(seed=st.integers(0, 99), cuts=st.sets(st.integers(1, TOKENS - 1)))
def test_it_is_the_same_in_whatever_parts_the_tokens_come(name: str, seed: int, cuts: set[int]) -> None:
    metric, ends = make_metric(name), [0, *sorted(cuts), TOKENS]
    whole = scored(metric, seed, [slice(0, TOKENS)])
    parts = scored(metric, seed, [slice(a, b) for a, b in pairwise(ends)])
    assert parts.each(metric).tolist() == pytest.approx(whole.each(metric).tolist(), rel=1e-12)
    assert parts.result(metric) == pytest.approx(whole.result(metric), rel=1e-12)


@names
@given(seed=st.integers(0, 99))
def test_a_group_of_one_example_has_its_value_and_equal_examples_have_theirs(name: str, seed: int) -> None:
    metric = make_metric(name)
    found = scored(metric, seed, [slice(0, TOKENS)])
    assert [found.of(np.array([row])).result(metric) for row in range(3)] == found.each(metric).tolist()
    (one,) = found.of(np.array([1])).sums.values()
    (key,) = found.sums
    twice = ExampleSums(np.arange(2), {key: Sums(np.repeat(one.values, 2), np.repeat(one.counts, 2))})
    assert twice.result(metric) == pytest.approx(found.each(metric)[1], rel=1e-12)


@names
def test_a_perfect_model_is_better_than_one_that_is_always_wrong(name: str) -> None:
    metric = make_metric(name)
    perfect, wrong = sums_of([0.0, 0.0], [3, 2], [3, 2]), sums_of([9.0, 9.0], [3, 2], [0, 0])
    if not perfect.has(metric):
        pytest.skip("it has sums of its own")
    good, bad = perfect.result(metric), wrong.result(metric)
    assert good > bad if metric.higher_is_better else good < bad


@names
def test_it_says_what_it_is_in_words(name: str) -> None:
    metric = make_metric(name)
    assert metric.unit and metric.name == name and metric.text(0.25) == ("25.0 %" if metric.share else "0.2500")
    assert metric.words == name.replace("_", " ")


def test_each_once_in_the_order_of_the_names() -> None:
    assert [metric.name for metric in make_metrics(["accuracy", "loss", "accuracy"])] == ["accuracy", "loss"]


def test_the_results_by_hand() -> None:
    sums = sums_of([6.0, 1.0, 8.0, 3.0], [2, 1, 4, 1], [1, 1, 0, 1])
    found = [sums.result(each) for each in make_metrics(["loss", "accuracy", "exact_match", "perplexity"])]
    assert found == [18 / 8, 3 / 8, 2 / 4, math.exp(18 / 8)]
    assert math.isinf(sums_of([1e6], [1]).result(make_metric("perplexity")))
