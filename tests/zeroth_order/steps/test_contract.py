"""What every registered kind of step keeps."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, StepRule, registry

names = pytest.mark.parametrize("name", registry.names())
gradients = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=6, max_size=6)
WORK = Round(keys=[[1, 2], [3, 4], [5, 6]], mu=0.5, rate=0.1, share=0.5)


def scalars(rule: StepRule, found: list[float], loss: Callable[[Lane], float]) -> list[float]:
    """Return what a round of two directions a step records."""
    recorded: list[float] = []
    for step in range(3):
        losses = {lane: loss(lane) for lane in rule.lanes(step)}
        recorded += rule.scalars(step, found[2 * step : 2 * step + 2], losses)
    return recorded


def parabola(lane: Lane) -> float:
    return 1.0 + lane.scale + 3.0 * lane.scale**2


@names
@given(found=gradients)
def test_a_scalar_has_the_sign_of_its_gradient_or_is_zero(name: str, found: list[float]) -> None:
    for gradient, scalar in zip(found, scalars(registry[name](WORK), found, parabola), strict=True):
        assert math.isfinite(scalar) and (scalar == 0.0 or (scalar > 0.0) == (gradient > 0.0))


@names
def test_nothing_is_remembered_from_round_to_round(name: str) -> None:
    found = [1.0, -2.0, 30.0, 4.0, 0.5, -6.0]
    first = scalars(registry[name](WORK), found, parabola)
    assert scalars(registry[name](WORK), found, parabola) == first


@names
@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0])
def test_losses_that_say_nothing_lead_nowhere_far(name: str, loss: float) -> None:
    found = scalars(registry[name](WORK), [0.0, 0.0, 1.0, 2.0, 0.0, 3.0], lambda lane: loss)
    assert all(math.isfinite(scalar) and abs(scalar) <= 3.0 for scalar in found)


@names
def test_lanes_are_of_directions_of_the_round_on_both_sides(name: str) -> None:
    rule = registry[name](WORK)
    for step in range(3):
        lanes = rule.lanes(step)
        assert all(lane.scale == 0 or (abs(lane.scale) == WORK.mu and 1 <= lane.key <= 6) for lane in lanes)
        assert len(set(lanes)) == len(lanes)
