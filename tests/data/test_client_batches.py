import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.client_batches import batch_indices, batch_span, epoch_batches


@settings(max_examples=100)
@given(
    n=st.integers(1, 20),
    epoch=st.integers(0, 10**6),
    client=st.integers(0, 300),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_epoch_covers_every_example_once(n: int, epoch: int, client: int, seed: int) -> None:
    order = batch_indices(n, n, epoch * n, seed, client)
    assert sorted(order.tolist()) == list(range(n))
    assert np.array_equal(order, generator(stream_key(seed, "data", client=client, step=epoch)).permutation(n))


@settings(max_examples=100)
@given(n=st.integers(1, 12), first=st.integers(0, 500), sizes=st.lists(st.integers(1, 30), max_size=6))
def test_positions_do_not_depend_on_how_they_are_reached(n: int, first: int, sizes: list[int]) -> None:
    starts = [first + sum(sizes[:step]) for step in range(len(sizes))]
    last_first = [batch_indices(n, size, start, 5, 2) for start, size in zip(starts[::-1], sizes[::-1], strict=True)]
    at_once = batch_indices(n, sum(sizes), first, 5, 2)
    assert at_once.tolist() == [index for batch in last_first[::-1] for index in batch]


@settings(max_examples=100)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), epoch=st.integers(0, 10**6))
def test_short_batches_make_up_their_epoch_and_no_more(n: int, batch_size: int, epoch: int) -> None:
    count = epoch_batches(n, batch_size)
    spans = [batch_span(n, batch_size, epoch * count + place, short=True) for place in range(count)]
    met = [index for first, size in spans for index in batch_indices(n, size, first, 7, 1)]
    assert met == batch_indices(n, n, epoch * n, 7, 1).tolist()
    assert all(size == batch_size for _, size in spans[:-1]) and 1 <= spans[-1][1] <= batch_size


def test_filled_batches_go_on_into_the_next_epoch() -> None:
    assert [batch_span(5, 2, index, short=False) for index in range(4)] == [(0, 2), (2, 2), (4, 2), (6, 2)]


def test_a_batch_may_straddle_epochs() -> None:
    first, second = batch_indices(5, 5, 0, 1, 0), batch_indices(5, 5, 5, 1, 0)
    assert np.array_equal(batch_indices(5, 4, 3, 1, 0), np.concatenate([first[3:], second[:2]]))


def test_clients_seeds_and_epochs_have_orders_of_their_own() -> None:
    orders = [batch_indices(50, 50, epoch * 50, seed, client) for epoch, seed, client in np.ndindex(2, 2, 2)]
    assert len({order.tobytes() for order in orders}) == 8


def test_without_shuffling_epochs_follow_the_data() -> None:
    assert batch_indices(3, 7, 2, 0, 0, shuffle=False).tolist() == [2, 0, 1, 2, 0, 1, 2]


def test_a_caller_cannot_spoil_later_batches() -> None:
    before = batch_indices(6, 6, 0, 9, 0)
    kept = before.copy()
    before[:] = 0
    assert np.array_equal(batch_indices(6, 6, 0, 9, 0), kept)


def test_the_order_is_the_committed_one() -> None:
    assert batch_indices(10, 12, 5, 2024, 3).tolist() == [7, 4, 3, 5, 1, 8, 6, 3, 5, 2, 0, 4]
