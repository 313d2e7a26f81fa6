from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedmezo.evaluation.theory.heterogeneity import Gradients, fit, inner_products, measured, non_negative_line

SIZE = 50
EQUAL = np.full(3, 1 / 3)


def drawn(centres: NDArray[np.float64], noise: float, batches: int, seed: int = 0) -> torch.Tensor:
    """Return gradients [N, K, d] around those of the clients [N, d], with a given E ||grad f_b - grad f_i||^2."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    each = draw.standard_normal((len(centres), batches, SIZE)) * np.sqrt(noise / SIZE)
    return torch.from_numpy(centres[:, None] + each).float()


def clients(distance: float, norm: float = 1.0) -> NDArray[np.float64]:
    """Return gradients of three clients whose mean has a squared norm, each so far from it, squared."""
    found = np.zeros((3, SIZE))
    found[:, 0] = np.sqrt(norm)
    turns = 2 * np.pi * np.arange(3) / 3
    found[:, 1:3] = np.sqrt(distance) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return found


def test_without_noise_all_is_exact() -> None:
    found = inner_products(drawn(clients(0.3), 0.0, 4), EQUAL)
    assert found.squared_norm == pytest.approx(1.0, abs=1e-5)
    assert found.client_distances == pytest.approx([0.3] * 3, abs=1e-5)
    assert found.batch_variance == pytest.approx(0.0, abs=1e-5)
    assert found.batch_squared_norm == pytest.approx(1.3, abs=1e-5)


def test_clients_weigh_what_they_should() -> None:
    centres = np.zeros((2, SIZE))
    centres[1, 0] = 4.0
    found = inner_products(drawn(centres, 0.0, 3), np.array([0.75, 0.25]))
    assert found.squared_norm == pytest.approx(1.0)
    assert found.client_distances == pytest.approx([1.0, 9.0])
    assert found.client_variance == pytest.approx(3.0)


@pytest.mark.parametrize("distance", [0.0, 0.5])
def test_the_noise_of_batches_is_not_taken_for_a_difference_of_clients(distance: float) -> None:
    """Means of 4 noisy batches are 5/4 of their noise apart from each other even if clients are equal."""
    found = [inner_products(drawn(clients(distance), 5.0, 4, seed), EQUAL) for seed in range(300)]
    for values, exact in (
        ([each.client_variance for each in found], distance),
        ([each.squared_norm for each in found], 1.0),
        ([each.batch_variance for each in found], 5.0),
        ([each.sampled_squared_norm for each in found], 1.0 + 5.0 / 12),
    ):
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - exact) < 4 * error < 0.2


def test_the_error_is_that_of_repeating_it_with_other_batches() -> None:
    sets = [inner_products(drawn(clients(0.5), 2.0, 8, seed), EQUAL) for seed in range(100)]
    found = [measured(lambda points: points[0].squared_norm, [each]) for each in sets]
    spread = np.std([each.value for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.25)


def trajectory(factor: float, floor: float, noise: float) -> list[Gradients]:
    norms = [4.0, 2.0, 1.0, 0.5]
    return [inner_products(drawn(clients(factor * norm + floor, norm), noise, 6, seed=7), EQUAL) for norm in norms]


def test_constants_of_clients_are_fitted_over_a_trajectory() -> None:
    found = fit(trajectory(0.2, 0.3, 0.0), lambda each: each.client_variance)
    assert (found.factor.value, found.floor.value) == pytest.approx((0.2, 0.3), abs=1e-3)
    noisy = fit(trajectory(0.2, 0.3, 1.0), lambda each: each.client_variance)
    assert abs(noisy.factor.value - 0.2) < 4 * noisy.factor.error
    assert abs(noisy.floor.value - 0.3) < 4 * noisy.floor.error


POINTS = st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(-10.0, 10.0)), min_size=2, max_size=6)


@given(POINTS)
def test_the_line_is_the_best_of_those_that_are_not_negative(points: Sequence[tuple[float, float]]) -> None:
    x, y = (np.array(column) for column in zip(*points, strict=True))
    slope, intercept = non_negative_line(list(x), list(y))
    assert slope >= 0.0 and intercept >= 0.0
    own = np.square(slope * x + intercept - y).sum()
    for other in np.linspace(0.0, 12.0, 25):
        best = max(0.0, float(np.mean(y - other * x)))
        assert own <= np.square(other * x + best - y).sum() + 1e-6
