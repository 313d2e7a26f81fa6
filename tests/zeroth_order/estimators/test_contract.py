"""What every registered estimator keeps."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.zeroth_order.estimators import Lane, is_symmetric, mirrored, registry
from fedmezo.zeroth_order.estimators.make import make_estimator

names = pytest.mark.parametrize("name", registry.names())
keys = st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=4, unique=True)


@names
@given(keys=keys, mu=st.sampled_from([1e-3, 0.25, 1.0]), data=st.data())
@settings(max_examples=30, deadline=None)
def test_it_is_exact_where_the_loss_is_linear(name: str, keys: Sequence[int], mu: float, data: st.DataObject) -> None:
    slopes = {key: data.draw(st.floats(-3.0, 3.0)) for key in keys}
    estimator = make_estimator(name)
    losses = [1.0 + lane.scale * slopes.get(lane.key, 0.0) for lane in estimator.lanes(keys, mu)]
    found = estimator.projections(losses, mu)
    assert [each.gradient for each in found] == pytest.approx(list(slopes.values()), abs=1e-10 / mu)
    assert all(abs(each.loss - 1.0) <= 3.0 * mu + 1e-12 for each in found)


@names
def test_queries_do_not_know_of_each_other(name: str) -> None:
    """What a direction learns is the same beside others."""
    estimator = make_estimator(name)

    def losses(keys: Sequence[int]) -> list[float]:
        return [2.0 + lane.scale * lane.key + lane.scale**2 for lane in estimator.lanes(keys, 0.5)]

    together = estimator.projections(losses([3, 4, 5]), 0.5)
    assert together == [estimator.projections(losses([key]), 0.5)[0] for key in (3, 4, 5)]


@names
def test_it_keeps_nothing_between_calls(name: str) -> None:
    estimator = make_estimator(name)
    first = estimator.lanes([1, 2], 0.1)
    estimator.projections([1.0] * len(first), 0.1)
    assert estimator.lanes([1, 2], 0.1) == first


def test_lanes_that_mirror_each_other_are_found_in_any_order() -> None:
    central, one_sided = make_estimator("central"), make_estimator("one-sided")
    assert mirrored(central.lanes([5, 6, 7], 0.1)) == [(0, 3), (1, 4), (2, 5)]
    assert mirrored(one_sided.lanes([5], 0.1)) == mirrored([Lane(5, 0.1)]) == []
    assert mirrored([Lane(5, 0.1), Lane(6, -0.1)]) == mirrored([Lane(0, 0.0), Lane(0, 0.0)]) == []
    assert mirrored([Lane(5, s) for s in (-0.2, 0.1, 0.0, -0.1, 0.2)]) == [(1, 3), (0, 4)]
    assert mirrored([Lane(5, 0.1)] * 2 + [Lane(5, -0.1)] * 3) == [(0, 2), (1, 3)]
    assert is_symmetric(central) and not is_symmetric(one_sided)
