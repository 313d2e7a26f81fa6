import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.evaluation.theory.descent import Descent, Terms, descent
from fedmezo.zeroth_order.replay import DirectionKeys
from tests.evaluation.theory.least_squares import rows

HESSIAN = np.diag([3.0, 1.0, 1.0, 0.5, 0.2, -0.1])
POINT = np.array([1.0, -1.0, 0.5, 2.0, 1.0, 0.0])


def terms(hessian: NDArray[np.float64], slope: NDArray[np.float64], blocks: NDArray[np.int64]) -> Terms:
    """Return the terms of a quadratic without noise, whose coordinates belong to blocks."""
    own = np.array([np.where(blocks == block, slope, 0.0) for block in range(blocks.max() + 1)])
    norms = np.square(own).sum(axis=1)
    return Terms(norms, norms, np.bincount(blocks, np.diag(hessian)).astype(np.float64), own @ hessian @ own.T)


def model(hessian: NDArray[np.float64] = HESSIAN, clients: int = 1, queries: int = 1) -> Descent:
    whole = terms(hessian, HESSIAN @ POINT, np.zeros(6, dtype=np.int64))
    return descent(whole, clients=clients, queries=queries)


@pytest.mark.parametrize(("clients", "queries"), [(1, 1), (3, 1), (1, 2)])
def test_it_is_the_mean_change_of_a_quadratic(clients: int, queries: int) -> None:
    draw = np.random.Generator(np.random.Philox(key=5))
    z = draw.standard_normal((40_000, clients * queries, len(POINT)))
    slope, rate = HESSIAN @ POINT, 0.05
    moves = -rate * np.einsum("nqd,nq->nd", z, z @ slope) / (clients * queries)
    changes = moves @ slope + np.einsum("nd,de,ne->n", moves, HESSIAN, moves) / 2
    error = changes.std() / math.sqrt(len(changes))
    assert abs(changes.mean() - model(clients=clients, queries=queries)(rate)) < 4 * error < 0.1


def test_nothing_is_gained_at_twice_the_best_rate() -> None:
    found = model()
    assert found(found.edge) == pytest.approx(0.0, abs=1e-9)
    assert all(found(found.best) < found(other * found.best) for other in (0.5, 0.9, 1.1, 2.0))


@pytest.mark.parametrize(
    ("steps", "clients", "queries", "drawn"),
    [(1, 1, 3, False), (2, 1, 3, False), (1, 2, 6, False), (1, 3, 1, False), (3, 1, 2, False), (1, 2, 2, True)],
)
def test_in_blocks_it_is_the_mean_change_of_least_squares(steps: int, clients: int, queries: int, drawn: bool) -> None:
    """Of moves from one point along directions in blocks, which take turns as a run's do, or are drawn."""
    batch = rows(6, 20, seed=2, scales=[2.0, 1.0, 1.0, 1.5, 0.5, 0.5])
    hessian, slope = batch.hessian().double().numpy(), batch.gradient(torch.ones(6)).double().numpy()
    blocks, rate, order = np.array([0, 0, 1, 2, 2, 1]), 0.02, BlockOrder(3, (0, 1, 2))
    keys = DirectionKeys(0, queries, blocks=order)
    turns = np.array([keys(0, client, steps) for client in range(clients)]).ravel() % 3
    draw = np.random.Generator(np.random.Philox(key=7))
    inside = draw.integers(3, size=(40_000, len(turns))) if drawn else np.broadcast_to(turns, (40_000, len(turns)))
    z = draw.standard_normal((*inside.shape, 6)) * (blocks == inside[..., None])
    moves = -rate * 3 / queries / clients * np.einsum("nqd,nq->nd", z, z @ slope)
    changes = moves @ slope + np.einsum("nd,de,ne->n", moves, hessian, moves) / 2
    found = descent(terms(hessian, slope, blocks), steps=steps, clients=clients, queries=queries, drawn=drawn)
    error = changes.std() / math.sqrt(len(changes))
    assert abs(changes.mean() - found(rate)) < 4 * error < 0.05 * abs(found(rate))
    assert abs(found(rate)) < 0.95 * found.slope * rate  # curvature counts


def test_blocks_together_are_whole_directions() -> None:
    found = descent(terms(HESSIAN, HESSIAN @ POINT, np.array([0, 1, 0, 1, 0, 1])).together(), queries=3)
    assert found.slope == pytest.approx(model(queries=3).slope)
    assert found.curvature == pytest.approx(model(queries=3).curvature)


def test_blocks_that_are_not_used_are_left_out() -> None:
    slope = HESSIAN @ POINT
    only = terms(HESSIAN, slope, np.array([0, 0, 1, 1, 2, 2])).only([0, 2])
    assert descent(only).slope == pytest.approx(float(np.square(slope[[0, 1, 4, 5]]).sum()))
    assert only.traces.tolist() == [4.0, pytest.approx(0.1)]


def test_the_gain_is_that_of_the_best_rate() -> None:
    found = model()
    assert found.gain == pytest.approx(-found(found.best)) and found.gain > 0.0
    assert math.isnan(Descent(1.0, -1.0).gain) and Descent(-1.0, 1.0).gain == 0.0


def test_without_curvature_no_rate_is_too_large() -> None:
    assert model(-HESSIAN).best == math.inf


def test_without_a_gradient_no_rate_is_any_good() -> None:
    assert Descent(0.0, 3.0).best == 0.0
