import pytest

from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.forwards import Forwards
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided


def forwards(estimator: Estimator, *, ascending: bool = True, used: tuple[int, ...] = tuple(range(10))) -> Forwards:
    """Return those of ten blocks of three of thirty layers."""
    runs = tuple((block, block + 1, block) for block in range(10))
    return Forwards(estimator, Division(runs, tuple(range(0, 30, 3)), 30, BlockOrder(10, used)), ascending)


def test_a_base_and_a_query_in_each_of_ten_blocks() -> None:
    """1 + 11 / 2, where as many whole ones are 11."""
    found = forwards(OneSided())
    assert found.blocks(10) == pytest.approx(6.5) and found.whole(10) == 11
    assert found.direction(0, 10) == pytest.approx(1.1) and found.direction(9, 10) == pytest.approx(0.2)
    assert found.alike(10) == 5  # and a base


def test_both_sides_of_a_direction_are_two_forwards() -> None:
    found = forwards(CentralDifference())
    assert found.blocks(10) == pytest.approx(12.0) and found.whole(10) == 20
    assert found.alike(10) == 6


def test_blocks_take_turns() -> None:
    assert forwards(OneSided(), used=(0, 9)).blocks(1) == pytest.approx(1.0 + (1.0 + 0.1) / 2)
    assert forwards(OneSided(), used=(9,)).alike(1) == 1


def test_where_no_forward_begins_at_a_block_all_are_whole() -> None:
    found = forwards(OneSided(), ascending=False)
    assert found.blocks(10) == pytest.approx(11.0) and found.alike(10) == 10
