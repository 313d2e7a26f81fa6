from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.data.apportion import apportion


@settings(max_examples=200)
@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(lambda ws: sum(ws) > 1e-3),
    total=st.integers(0, 10_000),
)
def test_counts_sum_to_the_total_and_stay_within_one_of_the_quota(weights: list[float], total: int) -> None:
    counts = apportion(weights, total)
    quotas = [weight / sum(weights) * total for weight in weights]
    assert counts.sum() == total
    assert all(abs(count - quota) < 1 + 1e-6 for count, quota in zip(counts, quotas, strict=True))
    assert all(count == 0 for count, weight in zip(counts, weights, strict=True) if weight == 0)


def test_fractions_that_are_inexact_in_binary_give_exact_counts() -> None:
    assert apportion([0.8, 0.1, 0.1, 0.0], 1000).tolist() == [800, 100, 100, 0]
    assert apportion([0.998, 0.001, 0.001, 0.0], 1000).tolist() == [998, 1, 1, 0]


def test_of_equal_remainders_the_first_wins() -> None:
    assert apportion([1, 1, 1], 5).tolist() == [2, 2, 1]
