import math

import pytest

from fedmezo.evaluation.theory.step_condition import StepCondition, step_condition


def condition(**changed: float) -> StepCondition:
    given = {"rate": 0.01, "dimension": 100.0, "smoothness": 2.0, "batch_factor": 4.0, "steps": 10, "clients": 3}
    return step_condition(**(given | changed))  # type: ignore[arg-type]


def test_by_hand() -> None:
    found = condition()
    assert found.terms["dimension"] == pytest.approx(1 / (3 * 10 * 2 * 20))
    assert found.terms["clients"] == pytest.approx(3 / (3 * 4 * 10 * 2))
    assert found.terms["horizon"] == pytest.approx(1 / 100)
    assert found.binding == "dimension" and found.bound == found.terms["dimension"]
    assert found.ratio == pytest.approx(12.0) and not found.satisfied


def test_any_term_can_bind() -> None:
    assert condition(steps=1000).binding == "horizon"
    assert condition(batch_factor=1e4, dimension=1.0).binding == "clients"
    assert condition(rate=1e-4).satisfied


def test_a_flat_loss_without_noise_binds_by_the_horizon_alone() -> None:
    for found in (condition(smoothness=0.0), condition(batch_factor=0.0)):
        assert found.terms["dimension"] == found.terms["clients"] == math.inf
        assert found.binding == "horizon"
