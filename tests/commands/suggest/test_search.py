import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedmezo.commands.suggest.search import MOST, Tried, chosen_mu, falls, flat, rises, search
from fedmezo.evaluation.theory.measured import Measured
from tests.example_counts import examples

NOISE = np.linspace(-1.0, 1.0, 16)  # of the batches


def parabola(best: float, noise: float = 0.05) -> Callable[[float], NDArray[np.float64]]:
    """Return the changes of a quadratic whose lowest point is at a rate, on batches that differ in slope."""

    def probe(rate: float) -> NDArray[np.float64]:
        scaled = rate / best
        return (scaled**2 / 2 - scaled) * (1.0 + noise * NOISE) + noise * scaled * NOISE

    return probe


@example(0.3)  # twice the best rate, where the loss neither falls nor rises
@given(st.floats(-3.0, 3.0))
@settings(max_examples=examples(100))
def test_of_a_quadratic_the_recommendation_is_its_lowest_point(decades: float) -> None:
    """Closed form: -a x + b x^2 / 2 is lowest at a / b; whatever rate the search begins with."""
    tried = search(parabola(best=0.01), 0.01 * 10.0**decades)
    assert tried.recommended is not None
    assert 0.01 / 2.0 < tried.recommended <= 0.01
    assert tried.worse_above and tried.worse_below and len(tried.changes) <= MOST


def test_a_rate_that_diverges_is_no_obstacle() -> None:
    def probe(rate: float) -> NDArray[np.float64]:
        return np.full(16, math.nan) if rate > 1.0 else -rate + 0.01 * rate * NOISE

    tried = search(probe, 30.0)
    assert tried.best is not None and 0.3 < tried.best <= 1.0
    assert tried.recommended == pytest.approx(tried.edge / 2 if tried.edge else None, rel=0.05)
    assert tried.worse_above


def test_where_the_loss_levels_off_beyond_the_best_the_best_is_taken() -> None:
    """A model of bounded logits: far away the loss falls a little again, at any rate."""

    def probe(rate: float) -> NDArray[np.float64]:
        return -0.1 * min(1.0, rate) - rate * math.exp(1.0 - rate) + 0.01 * rate / (1.0 + rate) * NOISE

    for start in (1e-3, 0.05, 40.0):
        tried = search(probe, start)
        assert tried.recommended is not None and 0.5 < tried.recommended < 1.8


@st.composite
def responses(draw: st.DrawFn) -> tuple[float, Callable[[float], NDArray[np.float64]]]:
    """Return a best rate, and changes that fall to a minimum there, rise, and are level or not finite beyond."""
    best, level = 10.0 ** draw(st.floats(-6.0, 1.0)), draw(st.floats(-0.3, 3.0))
    finite_to = best * 10.0 ** draw(st.floats(1.0, 12.0))
    slopes, far = draw(st.floats(0.0, 0.3)), draw(st.floats(0.01, 1.0))  # noise: of the slope, and far away

    def probe(rate: float) -> NDArray[np.float64]:
        if rate > finite_to:
            return np.full(16, math.nan)
        scaled = rate / best
        bowl = scaled**2 / 2.0 - scaled
        mean = min(bowl, level) if scaled > 1.0 else bowl
        noise: NDArray[np.float64] = NOISE * (slopes * min(scaled, 1.0) + far * min(1.0, scaled / 10.0) ** 2)
        found: NDArray[np.float64] = mean + noise
        return found

    return best, probe


@given(responses(), st.floats(-12.0, 20.0))
@settings(max_examples=examples(100))
def test_from_any_rate_one_near_the_best_is_found_or_it_is_said_that_it_is_not(
    response: tuple[float, Callable[[float], NDArray[np.float64]]], decades: float
) -> None:
    best, probe = response
    tried = search(probe, best * 10.0**decades)
    assert len(tried.changes) <= MOST
    assert not tried.sure or (tried.best is not None and best / 3.0 < tried.best < best * 3.0)


@pytest.mark.covering(1)
@pytest.mark.parametrize("level", [-0.3, 0.0, 0.05, 3.0, math.nan])
@pytest.mark.parametrize("decades", np.arange(-4.0, 7.0, 0.5).tolist())
def test_from_any_rate_within_several_decades_one_near_the_best_is_found(decades: float, level: float) -> None:
    """The loss falls to a minimum, rises, and is saturated, with much scatter, or not finite."""

    def probe(rate: float) -> NDArray[np.float64]:
        scaled = rate / 0.1
        bowl = scaled**2 / 2.0 - scaled
        return (bowl if scaled < 1.0 or bowl < level else level) + 0.2 * min(1.0, scaled) * NOISE

    tried = search(probe, 0.1 * 10.0**decades)
    assert tried.best is not None and 0.1 / 3.0 < tried.best < 0.3 and tried.sure


@pytest.mark.parametrize("start", [3e-3, 30.0, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("level", [0.03, 0.0, -0.03])
def test_a_level_far_away_that_is_lower_still_is_no_minimum(start: float, level: float) -> None:
    """As of a tiny model: beyond a hump the loss is level, and beyond overflow level again, below everything."""

    def probe(rate: float) -> NDArray[np.float64]:
        scaled = rate / 0.1
        near = scaled**2 / 2.0 - scaled if scaled < 2.5 else level
        mean = -0.6 if rate > 2e8 else near
        return mean + 0.1 * min(1.0, scaled) * NOISE

    tried = search(probe, start)
    assert tried.best is not None and 0.03 < tried.best < 0.3 and tried.worse_below


def test_where_nothing_falls_nothing_is_recommended() -> None:
    tried = search(lambda rate: rate * (1.0 + NOISE), 1.0)
    assert tried.best is tried.edge is tried.recommended is None and not tried.worse_above
    assert len(tried.changes) == MOST and max(tried.changes) == 1.0  # it looked for smaller ones


def test_where_all_fall_it_is_said_that_the_edge_was_not_reached() -> None:
    tried = search(lambda rate: -rate * (1.0 + 0.1 * NOISE), 1.0)
    assert not tried.worse_above and tried.recommended == pytest.approx(max(tried.changes) / 2, rel=0.05)


def test_the_edge_ends_at_the_first_rate_that_does_not_fall() -> None:
    found = {1.0: -1.0, 2.0: -2.0, 4.0: -1.0, 8.0: 1.0, 16.0: -0.5}
    tried = Tried({rate: change + 0.01 * NOISE for rate, change in found.items()})
    assert (tried.best, tried.edge, tried.recommended) == (2.0, 4.0, 2.0)


def test_two_standard_errors_make_a_fall() -> None:
    assert falls(Measured(-2.1, 1.0, 9)) and not falls(Measured(-1.9, 1.0, 9))
    assert rises(Measured(2.1, 1.0, 9)) and not rises(Measured(1.9, 1.0, 9)) and rises(Measured(math.inf, 1.0, 9))


def fidelities(**found: float) -> dict[float, Measured]:
    return {float(mu.removeprefix("m").replace("_", "-")): Measured(value, 0.001, 16) for mu, value in found.items()}


def test_a_mu_in_the_flat_part_is_kept_and_another_goes_to_its_middle() -> None:
    found = fidelities(m1e_4=0.8, m1e_3=0.999, m1e_2=1.0, m1e_1=0.995, m1=0.2)
    assert flat(found) == [1e-3, 1e-2, 1e-1]
    assert chosen_mu(found, 1e-3) == 1e-3
    assert chosen_mu(found, 1.0) == chosen_mu(found, 1e-4) == 1e-2


def test_where_nothing_is_known_mu_stays() -> None:
    assert chosen_mu({1e-3: Measured(math.nan, math.nan, 16)}, 5.0) == 5.0
