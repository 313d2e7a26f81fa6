"""Fewer training examples a client, and classes that clients lack."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.data.limits import limited, missing_classes, with_balanced_held_out
from fedmezo.data.partition import HELD_OUT, ClientData, Partition

NONE = np.array([], dtype=np.int64)


def partition(sizes: list[int]) -> Partition:
    """Return clients of so many training examples each, one after the other."""
    ends = np.cumsum([0, *sizes])
    return Partition(tuple(ClientData(np.arange(a, b), NONE, NONE) for a, b in pairwise(ends)))


@given(
    labels=st.lists(st.sampled_from("aab"), min_size=12, max_size=30),
    shots=st.integers(0, 5),
    most=st.integers(0, 9),
    seed=st.integers(0, 3),
)
def test_a_client_keeps_so_many_of_each_class_and_so_many_in_all(
    labels: list[str], shots: int, most: int, seed: int
) -> None:
    whole = partition([4, len(labels) - 4])
    found = limited(whole, labels, shots, most, seed)
    for before, after in zip(whole.clients, found.clients, strict=True):
        counts = Counter(labels[row] for row in before.train)
        kept = Counter(labels[row] for row in after.train)
        room = {label: min(count, shots) if shots else count for label, count in counts.items()}
        assert kept.total() == min(sum(room.values()), most or len(labels))
        assert all(kept[label] <= room[label] for label in kept) and set(after.train) <= set(before.train)
        assert after.train.tolist() == sorted(after.train)
    assert found.hash() == limited(whole, labels, shots, most, seed).hash()


def test_without_limits_it_is_the_same_partition() -> None:
    whole = partition([3, 3])
    assert limited(whole, ["a"] * 6, 0, 0, seed=0) is whole


def test_held_out_examples_are_balanced_all_clients_together() -> None:
    clients = (
        ClientData(np.array([0]), np.array([1, 2]), np.array([3])),
        ClientData(np.array([4]), np.array([5]), np.array([6, 7])),
    )
    labels = ["a", "a", "a", "a", "a", "b", "b", "a"]
    cells = [("", label) for label in labels]
    found = with_balanced_held_out(Partition(clients), cells, seed=0)
    for split in HELD_OUT:
        assert Counter(labels[row] for row in found.union(split)) == {"a": 1, "b": 1}
    assert [client.train.tolist() for client in found.clients] == [[0], [4]]


def test_classes_that_a_client_lacks_are_one_warning() -> None:
    labels = ["a", "b", "a", "c", "c", "a", "b", "c"]
    found = missing_classes(partition([2, 3, 3]).clients, labels, ["a", "b", "c"])
    assert found == ["2 of 3 clients have no training example of some class (client 0: c; client 1: b)"]
    assert missing_classes(partition([8]).clients, labels, ["a", "b", "c"]) == []
    many = missing_classes(partition([1] * 8).clients, labels, ["a", "b", "c"])
    assert many[0].startswith("8 of 8 clients") and many[0].endswith("client 4: a, b; ...)")
