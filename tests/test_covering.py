"""Covering arrays, and what they leave for ``make test-all``."""

from itertools import combinations, product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.covering import covering


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), strength=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_every_combination_is_met(sizes: list[int], strength: int) -> None:
    names = "abcd"[: len(sizes)]
    rows = [dict(zip(names, values, strict=True)) for values in product(*map(range, sizes))]
    chosen = covering(rows, strength)
    for axes in combinations(range(len(sizes)), min(strength, len(sizes))):
        met = {tuple(rows[number][names[axis]] for axis in axes) for number in chosen}
        assert len(met) == prod(sizes[axis] for axis in axes)


def test_of_many_values_in_pairs_a_few_cases_are_left() -> None:
    rows = [dict(zip("abcd", values, strict=True)) for values in product(range(7), range(7), range(2), range(2))]
    assert len(rows) == 196 and len(covering(rows, 2)) <= 56


@pytest.mark.covering(1)
@pytest.mark.parametrize("a", range(3))
@pytest.mark.parametrize("b", range(3))
def test_a_matrix_is_thinned(a: int, b: int, request: pytest.FixtureRequest) -> None:
    assert (a == b) is (request.node.get_closest_marker("full") is None)
