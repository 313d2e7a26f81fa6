"""The estimators on functions whose derivative is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.zeroth_order.estimators import Estimator, Lane
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.estimate import Losses, estimate
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from tests.example_counts import examples

MATRIX = torch.diag(torch.arange(1.0, 9.0, dtype=torch.float64))
CENTRAL, ONE_SIDED = CentralDifference(), OneSided()


def each(loss: Callable[[Tensor], float], directions: Directions = Directions()) -> Losses:  # noqa: B008
    """Return the losses of several lanes."""

    def at(point: Tensor, lane: Lane) -> Tensor:
        moved = point.clone()
        directions.add(moved, [lane.key], [lane.scale])
        return moved

    def losses(point: Tensor, lanes: Sequence[Lane]) -> list[float]:
        return [loss(at(point, lane)) for lane in lanes]

    return losses


def quadratic(at: Tensor) -> float:
    return (0.5 * at.double() @ MATRIX @ at.double()).item()


@given(keys=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3), mu=st.floats(1e-3, 1.0))
@settings(max_examples=40, deadline=None)
def test_the_central_difference_is_exact_on_a_quadratic(keys: list[int], mu: float) -> None:
    point = direction(1, 0, 8)
    found = estimate(CENTRAL, each(quadratic), point, keys, mu)
    for key, query in zip(keys, found, strict=True):
        z = direction(key, 0, 8)
        exact = (MATRIX @ point.double() @ z.double()).item()
        assert abs(query.gradient - exact) < 1e-4 * (1 + abs(exact)) / mu
        assert query.loss == quadratic(point + z * np.float32(mu).item())


def test_its_bias_shrinks_with_the_square_of_mu() -> None:
    """On the sum of cubes the error is mu^2 sum z^3, exactly."""
    point, z = torch.full((4,), 0.3), direction(2, 0, 4).double()

    def error(mu: float) -> float:
        (query,) = estimate(CENTRAL, each(lambda at: (at.double() ** 3).sum().item()), point, [2], mu)
        return query.gradient - 3 * float(point[0]) ** 2 * float(z.sum())

    assert error(0.2) == pytest.approx(0.04 * float((z**3).sum()), rel=1e-4)
    assert 3.9 < error(0.2) / error(0.1) < 4.1


def test_one_sided_shares_the_base_and_has_a_bias_of_order_mu() -> None:
    point, keys, mu = direction(1, 0, 8), [3, 4, 5], 0.25
    assert ONE_SIDED.lanes(keys, mu) == [Lane(0, 0.0), Lane(3, mu), Lane(4, mu), Lane(5, mu)]
    found = estimate(ONE_SIDED, each(quadratic), point, keys, mu)
    for key, query in zip(keys, found, strict=True):
        z = direction(key, 0, 8).double()
        wanted = (MATRIX @ point.double() @ z + 0.5 * mu * (z @ MATRIX @ z)).item()
        assert query.gradient == pytest.approx(wanted, rel=1e-5, abs=1e-5)
        assert query.loss == quadratic(point)


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
def test_g_z_is_unbiased_with_the_variance_of_the_formula(distribution: str) -> None:
    """On a linear function E[g z] = a; each coordinate has variance |a|^2 + (kurtosis - 2) a_i^2.

    Source: Spall (1992) for the first, a computation of fourth moments for the second: 3 for Gaussian directions and 1
    for Rademacher ones.
    """
    slope, count = torch.tensor([0.5, -1.0, 0.0, 2.0], dtype=torch.float64), examples(20_000)
    kurtosis = {"gaussian": 3, "rademacher": 1}[distribution]
    keys = list(range(count))
    linear = each(lambda at: float(slope @ at.double()), Directions(distribution))
    found = estimate(CENTRAL, linear, torch.zeros(4), keys, 1.0)
    rows = torch.stack(
        [query.gradient * direction(key, 0, 4, distribution).double() for key, query in zip(keys, found, strict=True)]
    )
    variance = slope @ slope + (kurtosis - 2) * slope**2
    assert ((rows.mean(0) - slope).abs() < 4.5 * (variance / count).sqrt()).all()
    torch.testing.assert_close(rows.var(0), variance, rtol=0.1, atol=0)


@pytest.mark.parametrize("estimator", [CENTRAL, ONE_SIDED])
def test_scales_of_parts_bend_the_directions(estimator: Estimator) -> None:
    """g is the derivative along S z; a step along S z is then unbiased for S^2 times the gradient."""
    scaled = Directions("gaussian", (Part(0, 3, 0.5), Part(3, 8, 2.0)))
    point, mu = direction(1, 0, 8), 1e-3
    (found,) = estimate(estimator, each(quadratic, scaled), point, [9], mu)
    bent = direction(9, 0, 8) * torch.tensor([0.5] * 3 + [2.0] * 5)
    assert torch.equal(scaled.values(9, 0, 8), bent)
    assert torch.equal(scaled.values(9, 2, 5), bent[2:5])
    assert found.gradient == pytest.approx((MATRIX @ point.double() @ bent.double()).item(), rel=0.05)
