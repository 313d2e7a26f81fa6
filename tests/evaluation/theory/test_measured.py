import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.evaluation.theory.measured import Measured, crossed_mean, jackknife, mean, ratio

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@given(NUMBERS)
def test_the_jackknife_of_a_mean_is_its_standard_error(values: list[float]) -> None:
    parts = [values[:i] + values[i + 1 :] for i in range(len(values))]
    found = jackknife(lambda some: sum(some) / len(some), values, parts)
    assert found.value == pytest.approx(mean(values).value, abs=1e-9)
    assert found.error == pytest.approx(mean(values).error, abs=1e-6)


def test_the_error_of_a_mean() -> None:
    assert mean([1.0, 3.0]) == Measured(2.0, 1.0, 2)
    assert math.isnan(mean([1.0]).error)


def test_a_crossed_mean_counts_the_spread_of_rows_and_of_columns() -> None:
    rows, columns = np.array([0.0, 2.0, 4.0]), np.array([0.0, 10.0])
    found = crossed_mean(rows[:, None] + columns[None])
    assert found.value == 7.0 and found.samples == 6
    assert found.error == pytest.approx(math.hypot(mean(rows).error, mean(columns).error))


def test_a_ratio_has_the_errors_of_both() -> None:
    found = ratio(Measured(6.0, 0.6, 5), Measured(2.0, 0.1, 3))
    assert (found.value, found.samples) == (3.0, 3)
    assert found.relative_error == pytest.approx(math.hypot(0.1, 0.05))
    assert math.isnan(ratio(Measured(1.0, 0.1, 2), Measured(0.0, 0.1, 2)).value)


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1183.2, 291.0, "1,180 ± 290"),
        (0.08491, 0.00873, "0.0849 ± 0.0087"),
        (1e-9, 1e-10, "1e-09 ± 1e-10"),
        (2.0, math.nan, "2"),
        (math.nan, 1.0, "-"),
    ],
)
def test_a_value_is_shown_to_two_digits_of_its_error(value: float, error: float, shown: str) -> None:
    assert str(Measured(value, error, 9)) == shown


def test_positive_means_by_two_standard_errors() -> None:
    assert Measured(2.1, 1.0, 5).positive
    assert not Measured(1.9, 1.0, 5).positive
    assert not Measured(-3.0, math.nan, 1).positive
