"""Client sampling: a function of seed and round, whichever way of drawing is registered."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.federation.sampling import Draw, participants, registry
from fedmezo.federation.sampling.validation import checked_clients

NAMES = sorted(registry.names())


def clients(name: str, round_index: int, sizes: Sequence[int], count: int, seed: int = 0) -> list[int]:
    draw = Draw(seed, round_index, count, sizes)
    return checked_clients(sampler := registry[name](), sampler.clients(draw), draw)


@pytest.mark.parametrize("name", NAMES)
@given(
    seed=st.integers(0, 2**63 - 1),
    t=st.integers(0, 10**6),
    sizes=st.lists(st.integers(0, 99), min_size=1),
    data=st.data(),
)
@settings(max_examples=30, deadline=None)
def test_a_sample_is_distinct_repeatable_and_as_large_as_asked(
    name: str, seed: int, t: int, sizes: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(sizes)))
    found = clients(name, t, sizes, count, seed)
    assert found == sorted(set(found)) and len(found) == count and set(found) <= set(range(len(sizes)))
    assert found == clients(name, t, sizes, count, seed)


@pytest.mark.parametrize("name", NAMES)
def test_everybody_gets_a_turn(name: str) -> None:
    drawn = [clients(name, t, [10] * 10, 3) for t in range(60)]
    counts = [sum(i in row for row in drawn) for i in range(10)]
    assert min(counts) >= 8 and max(counts) <= 30


def test_uniform_draws_as_it_always_did() -> None:
    for t in range(20):
        draw = generator(stream_key(5, "sample", round_index=t))
        assert clients("uniform", t, [1] * 9, 4, seed=5) == sorted(draw.choice(9, size=4, replace=False).tolist())


def test_who_holds_more_is_drawn_more_often() -> None:
    drawn = [clients("by_size", t, [10, 10, 80], 1)[0] for t in range(400)]
    assert drawn.count(2) == pytest.approx(320, abs=32)  # four standard deviations
    assert clients("by_size", 0, [0, 0, 5], 2)[1] == 2


def test_in_turn_all_take_part_equally_often() -> None:
    rounds = [clients("round_robin", t, [1] * 5, 2) for t in range(5)]
    assert rounds[:3] == [[0, 1], [2, 3], [0, 4]]
    assert [sum(i in row for row in rounds) for i in range(5)] == [2] * 5


@pytest.mark.parametrize("answer", [[0], [0, 0], [0, 5], [0, -1], None, 3, ["a", "b"]])
def test_a_wrong_answer_is_told_with_file_and_line(answer: object) -> None:
    class Mine:
        def clients(self, draw: Draw) -> Sequence[int]:
            return answer  # type: ignore[return-value]

    draw = Draw(0, 3, 2, [1] * 5)
    with pytest.raises(ConfigurationError, match=r"test_sampling.py:\d+\n.*for round 3\n.*expected 2 different whole"):
        checked_clients(Mine(), Mine().clients(draw), draw)


def test_how_many_take_part() -> None:
    assert participants(10, 0, -1) == 10
    assert participants(10, 4, -1) == 4
    assert participants(10, 0, 0.3) == 3
    assert participants(10, 0, 0.01) == 1
