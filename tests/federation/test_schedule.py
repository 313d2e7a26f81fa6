"""Schedules as factors by round."""

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.schedule import Schedule


def test_no_scheduler_is_one() -> None:
    assert [Schedule("", {}, 8).factor(t) for t in (0, 7)] == [1.0, 1.0]


def test_step_and_exponential() -> None:
    assert [Schedule("StepLR", {"step_size": 2, "gamma": 0.5}, 5).factor(t) for t in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert Schedule("ExponentialLR", {"gamma": 0.9}, 4).factor(3) == pytest.approx(0.9**3)


def test_warm_up_applies_to_the_first_round_and_order_does_not_matter() -> None:
    schedule = Schedule("LinearLR", {"start_factor": 0.25, "total_iters": 3}, 4)
    assert schedule.factor(3) == pytest.approx(1.0)
    assert schedule.factor(0) == pytest.approx(0.25)


def test_wrong_arguments_are_the_users_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"train\.scheduler\.type = StepLR"):
        Schedule("StepLR", {"gama": 0.5}, 3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialLR", {"gamma": "abc"}),
        ("StepLR", {"step_size": 0}),
        ("LinearLR", {"total_iters": "x"}),
        ("ExponentialLR", {"gamma": -1.0}),
        ("ExponentialLR", {"gamma": 1e300}),
        ("CosineAnnealingLR", {}),
    ],
)
def test_values_that_give_no_rate_are_found_at_once(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=f"train.scheduler.type = {name}"):
        Schedule(name, arguments, 5)
