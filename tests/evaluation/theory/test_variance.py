import pytest
import torch

from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.core.randomness import stream_key
from fedmezo.evaluation.theory.variance import Variance, measure_variance, second_moment
from fedmezo.zeroth_order.estimators.central import CentralDifference
from tests.evaluation.theory.least_squares import least_squares, rows

SIZE, EACH = 6, 700


def measured(distribution: str, queries: int, parts: tuple[Part, ...] = ()) -> Variance:
    scorer = least_squares(SIZE, Directions(distribution, parts))
    point = torch.linspace(-1.0, 1.0, SIZE)
    batches = [rows(SIZE, 8, seed=seed) for seed in range(3)]
    scales = torch.cat([torch.full((part.stop - part.start,), part.scale) for part in parts or (Part(0, SIZE),)])
    exact = [float((scales * batch.gradient(point)).square().sum()) for batch in batches]
    keys = [
        [[stream_key(number, "direction", step=step, query=query) for query in range(queries)] for step in range(EACH)]
        for number in range(len(batches))
    ]
    return measure_variance(scorer, point, batches, exact, keys, mu=1e-2, estimator=CentralDifference())  # type: ignore[arg-type]


@pytest.mark.covering(1)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("queries", [1, 3])
def test_the_formula_holds(distribution: str, queries: int) -> None:
    """In six dimensions the distributions differ by a third, and three queries from one by more."""
    found = measured(distribution, queries)
    assert found.ratio.samples == 3 * EACH
    assert abs(found.ratio.value - 1.0) < 4.0 * found.ratio.error < 0.25
    assert abs(found.measured.value - found.formula) < 5.0 * found.measured.error


def test_scaled_directions_keep_the_formula_in_their_coordinates() -> None:
    found = measured("rademacher", 1, (Part(0, 2, 3.0), Part(2, SIZE, 0.5)))
    assert abs(found.ratio.value - 1.0) < 4.0 * found.ratio.error < 0.25


def test_the_formula_by_hand() -> None:
    assert second_moment("gaussian", 10, 1) == 12.0
    assert second_moment("rademacher", 10, 1) == 10.0
    assert second_moment("gaussian", 10, 4) - 1.0 == 11.0 / 4.0  # the variance: divided by the queries
    assert second_moment("rademacher", 10, 4) - 1.0 == 9.0 / 4.0
