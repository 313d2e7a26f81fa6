"""Client sampling: a function of seed and round."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.federation.sampling import participants, sample_clients


@given(seed=st.integers(0, 2**63 - 1), t=st.integers(0, 10**6), clients=st.integers(1, 50), data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_sample_is_ascending_distinct_and_repeatable(seed: int, t: int, clients: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, clients))
    found = sample_clients(seed, t, clients, count)
    assert found == sorted(set(found)) and len(found) == count
    assert set(found) <= set(range(clients))
    assert found == sample_clients(seed, t, clients, count)


def test_everybody_gets_a_turn_and_rounds_differ() -> None:
    drawn = [tuple(sample_clients(0, t, 10, 3)) for t in range(60)]
    assert len(set(drawn)) > 30
    counts = [sum(i in row for row in drawn) for i in range(10)]
    assert min(counts) >= 8 and max(counts) <= 30


def test_how_many_take_part() -> None:
    assert participants(10, 0, -1) == 10
    assert participants(10, 4, -1) == 4
    assert participants(10, 0, 0.3) == 3
    assert participants(10, 0, 0.01) == 1
