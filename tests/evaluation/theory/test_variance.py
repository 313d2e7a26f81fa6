import pytest
import torch

from fedmezo.core.directions.blocks import ONE_BLOCK, BlockOrder
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.variance import Variance, measure_variance, second_moment
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.replay import DirectionKeys
from tests.evaluation.theory.least_squares import least_squares, rows

SIZE, EACH = 6, 700


def measured(distribution: str, queries: int, parts: tuple[Part, ...] = (), order: BlockOrder = ONE_BLOCK) -> Variance:
    scorer = least_squares(SIZE, Directions(distribution, parts, order.count))
    blocks = parts if order.count > 1 else (Part(0, SIZE),)
    runs = tuple((part.start, part.stop, part.block) for part in blocks)
    division = Division(runs, tuple(range(order.count)), order.count, order)
    point = torch.linspace(-1.0, 1.0, SIZE)
    batches = [rows(SIZE, 8, seed=seed) for seed in range(3)]
    scales = torch.cat([torch.full((part.stop - part.start,), part.scale) for part in parts or (Part(0, SIZE),)])
    exact = [division.sums((scales * batch.gradient(point)).square()).tolist() for batch in batches]
    keys = [DirectionKeys(number, queries, blocks=order)(0, 0, EACH) for number in range(len(batches))]
    estimator = CentralDifference()
    return measure_variance(scorer, point, batches, exact, keys, division, mu=1e-2, estimator=estimator)  # type: ignore[arg-type]


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


BLOCKS = (Part(0, 1, block=1), Part(1, 4, 2.0, block=0), Part(4, SIZE, block=2))


@pytest.mark.parametrize(
    ("queries", "order"),
    [
        (3, BlockOrder(3, (0, 1, 2))),
        pytest.param(6, BlockOrder(3, (0, 1, 2)), marks=pytest.mark.full),
        (1, BlockOrder(3, (0, 1, 2))),
        pytest.param(4, BlockOrder(3, (0, 1, 2)), marks=pytest.mark.full),
        (2, BlockOrder(3, (0, 2), drawn=True)),
    ],
)
def test_the_formula_holds_in_blocks(queries: int, order: BlockOrder) -> None:
    """However many queries there are, given the blocks that they are in."""
    found = measured("gaussian", queries, BLOCKS, order)
    assert abs(found.ratio.value - 1.0) < 4.0 * found.ratio.error < 0.3
    assert abs(found.measured.value - found.formula) < 5.0 * found.measured.error


def test_the_formula_by_hand() -> None:
    assert second_moment("gaussian", 10, 1, 1.0) == 12.0
    assert second_moment("rademacher", 10, 1, 1.0) == 10.0
    assert second_moment("gaussian", 10, 4, 1 / 4) - 1.0 == 11.0 / 4.0  # the variance: divided by the queries
    assert second_moment("rademacher", 10, 4, 1 / 4) - 1.0 == 9.0 / 4.0
    assert second_moment("gaussian", 10, 2, 3 / 6) == (10 + 3 - 2 + 2) / 2  # six queries in three blocks
