"""As many of each class, of every category."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.balance import balanced

CELLS = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("ab")), min_size=1, max_size=60)


@given(cells=CELLS, seed=st.integers(0, 9))
def test_every_category_has_as_many_of_each_class(cells: list[tuple[str, str]], seed: int) -> None:
    counts, rows = Counter(cells), np.arange(len(cells))
    classes, categories = {label for _, label in cells}, {category for category, _ in cells}
    if len(counts) < len(classes) * len(categories):
        with pytest.raises(ResourceError, match=r"data\.balance = True\n    there is no example of [ab] in the"):
            balanced(rows, cells, np.random.default_rng(seed))
        return
    kept = balanced(rows, cells, np.random.default_rng(seed))
    assert kept.tolist() == sorted(set(kept.tolist()))
    least = {category: min(counts[category, label] for label in classes) for category in categories}
    assert Counter(cells[row] for row in kept) == {cell: least[cell[0]] for cell in counts}


def test_only_the_given_rows_are_taken_and_none_are_none() -> None:
    cells = [("", "a"), ("", "b"), ("", "a"), ("", "b")]
    assert balanced(np.array([1, 2]), cells, np.random.default_rng(0)).tolist() == [1, 2]
    assert balanced(np.array([], dtype=np.int64), cells, np.random.default_rng(0)).tolist() == []


def test_which_ones_is_a_matter_of_chance() -> None:
    cells = [("", "a")] * 20 + [("", "b")]
    found = {int(balanced(np.arange(21), cells, np.random.default_rng(seed))[0]) for seed in range(30)}
    assert len(found) > 5
