import math

import numpy as np
import pytest

from fedmezo.evaluation.theory.descent import Descent, descent

HESSIAN = np.diag([3.0, 1.0, 1.0, 0.5, 0.2, -0.1])
POINT = np.array([1.0, -1.0, 0.5, 2.0, 1.0, 0.0])


def model(**changed: float) -> Descent:
    slope = HESSIAN @ POINT
    given = {
        "squared_norm": float(slope @ slope),
        "batch_squared_norm": float(slope @ slope),
        "along": float(slope @ HESSIAN @ slope),
        "trace": float(np.trace(HESSIAN)),
        "steps": 1,
        "clients": 1,
    }
    return descent(**(given | changed))  # type: ignore[arg-type]


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


def test_without_curvature_no_rate_is_too_large() -> None:
    assert model(trace=-10.0, along=0.0).best == math.inf


def test_without_a_gradient_no_rate_is_any_good() -> None:
    assert model(squared_norm=0.0).best == 0.0
