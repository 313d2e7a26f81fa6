"""Intervals of means by the bootstrap."""

import numpy as np
import pytest

from fedmezo.core.randomness import generator
from fedmezo.evaluation.bootstrap import bootstrap


def test_it_is_the_quantiles_of_means_of_examples_drawn_again() -> None:
    values = generator(1).random(40)
    draw = np.random.default_rng(5)
    means = [values[draw.integers(0, 40, 40)].mean() for _ in range(20_000)]
    found = bootstrap(values)
    assert found.mean == values.mean()
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    held = [bootstrap((generator(seed).random(60) < 0.3).astype(float)) for seed in range(300)]
    assert 0.90 < np.mean([each.low <= 0.3 <= each.high for each in held]) < 0.98


def test_it_is_the_same_each_time_and_a_point_where_all_are_alike() -> None:
    assert (
        bootstrap(np.sqrt(np.arange(40.0)))
        == bootstrap(np.sqrt(np.arange(40.0)))
        != bootstrap(np.sqrt(np.arange(40.0)), seed=1)
    )
    assert bootstrap(np.full(7, 0.25)) == pytest.approx((0.25, 0.25, 0.25))
    assert bootstrap(np.ones(1)) == (1.0, 1.0, 1.0)
