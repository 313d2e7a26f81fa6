import numpy as np
import pytest
import torch

from fedmezo.evaluation.theory.descent import descent
from fedmezo.evaluation.theory.heterogeneity import inner_products
from fedmezo.evaluation.theory.measured import crossed_mean
from fedmezo.evaluation.theory.sample import Sample


def sample() -> Sample:
    draw = np.random.Generator(np.random.Philox(key=3))
    gradients = torch.from_numpy(draw.standard_normal((2, 2, 4, 5)) + 1.0)
    weights = np.array([0.5, 0.5])
    return Sample(
        tuple(inner_products(each, weights) for each in gradients), draw.standard_normal((3, 4, 2)) + 2.0, np.eye(2)
    )


def test_what_is_linear_in_traces_has_the_error_of_a_crossed_mean() -> None:
    given = sample()
    found = given.measured(lambda terms: float(terms.traces @ [1.0, 2.0]))
    wanted = crossed_mean(given.traces @ np.array([1.0, 2.0]))
    assert found.value == pytest.approx(wanted.value) and found.error == pytest.approx(wanted.error)


def test_norms_of_blocks_add_up() -> None:
    given = sample()
    terms = given.terms
    assert terms.together().squared_norms[0] == pytest.approx(sum(each.squared_norm for each in given.gradients))
    assert given.measured(lambda terms: float(terms.squared_norms[0])).error > 0.0


def test_where_a_part_of_the_sample_has_no_best_rate_the_error_is_unknown() -> None:
    given = sample()
    given.traces[:] = -1.0
    given.traces[0] = 100.0
    found = given.measured(lambda terms: descent(terms).gain)
    assert found.value > 0.0 and np.isnan(found.error)
