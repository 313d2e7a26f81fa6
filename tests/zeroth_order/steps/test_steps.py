"""Each kind of step against its formula, on parabolas whose curvature is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.zeroth_order.estimators import Estimator, Lane
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.steps import Round, StepRule
from fedmezo.zeroth_order.steps.curvature import Bounded
from fedmezo.zeroth_order.steps.ema import BETA, OverRunningMoment
from fedmezo.zeroth_order.steps.newton import OverCurvature
from fedmezo.zeroth_order.steps.plain import Plain
from fedmezo.zeroth_order.steps.second_differences import EVERY, LEAST, Curvature
from fedmezo.zeroth_order.steps.std import OverDeviation

MU = 2.0**-4
HESSIAN = np.array([1.0, 2.0, 5.0])  # its diagonal; z'Hz = tr H = 8 for every z of signs
SIGNS = {key: np.array([1.0 if key >> bit & 1 else -1.0 for bit in range(3)]) for key in range(8)}


def round_of(*keys: list[int], rate: float = 1.0, blocks: int = 1) -> Round:
    return Round(keys, MU, rate, share=1.0 / len(keys[0]), blocks=blocks)


def parabola(theta: np.ndarray) -> float:
    """Return L = 1 + theta' H theta / 2 of a point [3]."""
    return float(1.0 + 0.5 * HESSIAN @ theta**2)


def one_token(theta: np.ndarray) -> float:
    """Return the loss of a choice of two whose logit is the sum of a point [3]: curved along (1, 1, 1) only."""
    return float(np.logaddexp(0.0, -theta.sum()))


def losses(point: np.ndarray, lanes: list[Lane], loss: Callable[[np.ndarray], float] = parabola) -> dict[Lane, float]:
    """Return the losses of lanes around a point [3]."""
    return {lane: loss(point + lane.scale * SIGNS[lane.key]) for lane in lanes}


def step(
    rule: StepRule,
    work: Round,
    number: int,
    point: np.ndarray,
    estimator: Estimator,
    loss: Callable[[np.ndarray], float] = parabola,
) -> np.ndarray:
    """Return the point [3] after a step."""
    keys = list(work.keys[number])
    own = estimator.lanes(keys, MU)
    found = losses(point, [*own, *rule.lanes(number)], loss)
    gradients = [each.gradient for each in estimator.projections([found[lane] for lane in own], MU)]
    scalars = rule.scalars(number, gradients, found)
    after = point.copy()
    for key, scalar in zip(keys, scalars, strict=True):
        after -= work.rate * work.share * scalar * SIGNS[key]
    return after


def test_none_is_the_gradient() -> None:
    rule = Plain(round_of([1, 2]))
    assert rule.lanes(0) == [] and rule.scalars(0, [0.1, -3.0], {}) == [0.1, -3.0]


def test_std_is_the_rule_of_fzoo() -> None:
    """(l_i - l_0) / s, with s the sample standard deviation of the l_i, where differences are one-sided."""
    work, estimator = round_of([1, 2, 3, 5]), OneSided()
    found = losses(np.array([1.0, -2.0, 0.5]), estimator.lanes(work.keys[0], MU))
    base, *perturbed = found.values()
    gradients = [each.gradient for each in estimator.projections(list(found.values()), MU)]
    wanted = (np.array(perturbed) - base) / np.std(perturbed, ddof=1)
    assert OverDeviation(work).scalars(0, gradients, {}) == pytest.approx(wanted.tolist(), rel=1e-12)
    assert OverDeviation(work).scalars(0, [2.0, 2.0], {}) == [0.0, 0.0]


def test_ema_is_the_second_moment_of_adam_without_its_bias() -> None:
    rule, moment = OverRunningMoment(round_of([1, 2], [3, 4], [5, 6])), 0.0
    for number, gradients in enumerate([[3.0, -1.0], [0.0, 2.0], [5.0, 5.0]]):
        moment = BETA * moment + (1 - BETA) * (gradients[0] ** 2 + gradients[1] ** 2) / 2
        scale = math.sqrt(moment / (1 - BETA ** (number + 1)))
        assert rule.scalars(number, gradients, {}) == pytest.approx([g / scale for g in gradients], rel=1e-12)


def test_ema_begins_with_the_sign() -> None:
    assert OverRunningMoment(round_of([1])).scalars(0, [-7.0], {}) == pytest.approx([-1.0], rel=1e-12)
    assert OverRunningMoment(round_of([1])).scalars(0, [0.0], {}) == [0.0]


@pytest.mark.parametrize("estimator", [CentralDifference(), OneSided()])
def test_newton_goes_to_the_lowest_point_along_a_direction(estimator: Estimator) -> None:
    work, point = round_of([3], [5]), np.array([1.0, -2.0, 0.5])
    rule = OverCurvature(work)
    for number, (key,) in enumerate(work.keys):
        bias = 0.0 if isinstance(estimator, CentralDifference) else MU * HESSIAN.sum() / 2
        point = step(rule, work, number, point, estimator)
        assert HESSIAN * point @ SIGNS[key] == pytest.approx(-bias, abs=1e-10)


@pytest.mark.parametrize("logit", [0.0, -8.0, -30.0], ids=["even", "confident and wrong", "certain and wrong"])
def test_newton_does_not_overshoot_where_directions_are_not_independent(logit: float) -> None:
    """Ten directions that all move the same logit; where the choice is told with confidence, h is next to 0."""
    work = round_of([7, 0] * 5, rate=1.0)
    point = np.full(3, logit / 3)
    after = step(OverCurvature(work), work, 0, point, CentralDifference(), one_token)
    assert logit < after.sum() < 3.0 - logit and one_token(after) < one_token(point)


@given(rate=st.floats(1e-3, 1e6), signs=st.lists(st.integers(0, 7), min_size=5, max_size=5))
def test_a_bounded_step_never_raises_the_loss_of_a_parabola(rate: float, signs: list[int]) -> None:
    work = round_of(*([key] for key in signs), rate=rate)
    rule, point = Bounded(work), np.array([1.0, -2.0, 0.5])
    for number in range(5):
        before, point = point, step(rule, work, number, point, CentralDifference())
        assert HESSIAN @ point**2 <= HESSIAN @ before**2 + 1e-9


def test_the_textbook_step_does() -> None:
    work, point = round_of([3], rate=2.1 / HESSIAN.sum()), np.array([1.0, -2.0, 0.5])
    assert HESSIAN @ step(Plain(work), work, 0, point, CentralDifference()) ** 2 > HESSIAN @ point**2


@given(rate=st.floats(1e-6, 1e6))
def test_a_bounded_step_is_the_textbooks_or_newtons(rate: float) -> None:
    work = round_of([3, 5], rate=rate)
    found = losses(np.array([1.0, -2.0, 0.5]), Curvature(work).lanes(0))
    scalars = Bounded(work).scalars(0, [4.0, -0.3], found)
    most = [0.3 * 4.0 / (0.5 * 8.0), 0.3 * -0.3 / (0.5 * 8.0)]
    assert scalars == ([4.0, -0.3] if rate <= 0.075 else pytest.approx([each / rate for each in most], rel=1e-9))


def test_a_rate_of_zero_has_no_bound() -> None:
    work = round_of([3], rate=0.0)
    assert Bounded(work).scalars(0, [4.0], losses(np.ones(3), Curvature(work).lanes(0))) == [4.0]


def test_the_first_step_measures_more_directions_than_it_has_and_later_ones_few() -> None:
    work = round_of(*([2 * step, 2 * step + 1] for step in range(2 * EVERY + 1)))
    curvature, lanes = Curvature(work), []
    for number in range(2 * EVERY + 1):
        lanes.append(curvature.lanes(number))
        curvature.observe(number, dict.fromkeys(lanes[-1], 1.0))
    measured = [sorted({lane.key for lane in own if lane.scale}) for own in lanes]
    assert measured[0] == list(range(LEAST)) and measured[EVERY] == [2 * EVERY + 1]
    assert measured[2 * EVERY] == [4 * EVERY] and sum(map(bool, measured)) == 3
    assert list(map(len, lanes)) == [2 * len(keys) + 1 if keys else 0 for keys in measured]


def test_it_is_measured_anew_where_no_loss_was_finite() -> None:
    curvature = Curvature(round_of([1, 2], [3, 4], [5, 6]))
    curvature.observe(0, dict.fromkeys(curvature.lanes(0), math.nan))
    assert {lane.key for lane in curvature.lanes(1)} == {0, 3, 4, 5, 6} and curvature.size(3) == math.inf


def test_curvature_is_a_root_mean_square_in_which_all_blocks_count_once() -> None:
    """Directions 2 and 4 are in block 0, 1 and 3 in block 1; what is not finite says nothing."""
    curvature = Curvature(round_of([1, 2, 3, 4], blocks=2))
    h = {1: 3.0, 2: -6.0, 3: math.nan, 4: 2.0}
    found = {Lane(key, sign): each / 2 * MU**2 for key, each in h.items() for sign in (MU, -MU)} | {Lane(0, 0.0): 0.0}
    assert curvature.size(1) == math.inf
    curvature.observe(0, found)
    overall = (9 + 36 + 4) / 3
    assert curvature.size(1) == pytest.approx(math.sqrt((9 + overall) / 2))
    assert curvature.size(2) == pytest.approx(math.sqrt((36 + 4 + overall) / 3))
