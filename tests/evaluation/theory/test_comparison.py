"""The model's gain beside that of steps really taken, on a least-squares problem, of which the model is exact."""

import math

import numpy as np
import pytest
import torch

from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.evaluation.theory.comparison import Compared, Comparison
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.forwards import Forwards
from fedmezo.evaluation.theory.heterogeneity import inner_products
from fedmezo.evaluation.theory.sample import Sample
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from tests.evaluation.theory.least_squares import LeastSquares, least_squares, rows

SIZE, BLOCKS = 8, 4
ORDER = BlockOrder(BLOCKS, tuple(range(BLOCKS)))
RUNS = tuple((2 * block, 2 * block + 2, block) for block in range(BLOCKS))


def compared(moves: int = 1000, trace_factor: float = 1.0) -> Compared:
    """Compare one query in each of four blocks with three whole ones; the lower half has nearly all of the gradient."""
    batch = rows(SIZE, 30, seed=4, scales=[1.5] * 4 + [0.4] * 4, target=3.0)
    division = Division(RUNS, tuple(range(BLOCKS)), BLOCKS, ORDER)
    whole = least_squares(SIZE)
    parts = tuple(Part(start, stop, block=block) for start, stop, block in RUNS)
    divided = LeastSquares(whole.model, whole.parameters, Directions("gaussian", parts, BLOCKS))
    point = torch.linspace(-1.0, 1.0, SIZE)
    whole.parameters.write(point)
    slope = batch.gradient(point)
    own, hessian = division.apart(slope).double(), batch.hessian().double()
    sample = Sample(
        tuple(inner_products(division.restricted(slope, block).repeat(1, 3, 1), np.ones(1)) for block in range(BLOCKS)),
        trace_factor * division.sums(hessian.diagonal()).numpy()[None, None],
        (own @ hessian @ own.T).numpy(),
    )
    forwards = Forwards(OneSided(), division, ascending=True)
    comparison = Comparison(whole, divided, division, forwards, BLOCKS, 1e-3, [batch], moves, seed=1)  # type: ignore[list-item]
    found = comparison.at(0, sample, whole, [batch], lambda: None)  # type: ignore[list-item]
    assert whole.parameters.buffer.equal(point)
    return found


@pytest.fixture(scope="module")
def found() -> Compared:
    return compared()


def test_what_is_predicted_is_measured(found: Compared) -> None:
    for step in (found.whole, found.divided):
        assert step.measured is not None and step.predicted.value > 0.0
        assert abs(step.measured.value - step.predicted.value) < 4.0 * step.measured.error
        assert step.measured.error < 0.1 * step.predicted.value
    assert found.measured is not None
    assert abs(found.measured.value - found.predicted.value) < 4.0 * found.measured.error < found.predicted.value


def test_gains_are_compared_at_equal_forwards(found: Compared) -> None:
    assert (found.divided.forwards, found.whole.forwards, found.whole.directions) == (3.5, 3, 2)
    per_forward = found.divided.predicted_per_forward.value / found.whole.predicted_per_forward.value
    assert found.predicted.value == pytest.approx(per_forward)


def test_a_direction_of_a_block_gains_by_its_gradient_and_trace(found: Compared) -> None:
    for block in (*found.blocks, found.everything):
        assert block.gain.value == pytest.approx(block.squared_norm.value / (2.0 * block.trace.value))
        assert block.per_forward.value == pytest.approx(block.gain.value / block.forwards)
    total = sum(block.squared_norm.value for block in found.blocks)
    assert found.everything.squared_norm.value == pytest.approx(total)
    assert found.blocks[0].gain.value > found.blocks[3].gain.value


def test_without_a_best_rate_nothing_is_measured() -> None:
    found = compared(moves=1, trace_factor=-10.0)
    assert found.whole.measured is None and found.measured is None
    assert math.isnan(found.predicted.value) and found.whole.rate == math.inf
