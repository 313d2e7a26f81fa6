from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.divide import Splits, make_partition
from fedmezo.data.partition import Partition
from fedmezo.data.splitters.make import make_splitter

CATEGORIES = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=40, max_size=150)


def partition(
    categories: list[str | None],
    num_own_test: int = 0,
    splitter: str = "iid",
    splits: Splits = (0.8, 0.1, 0.1),
    num_clients: int = 3,
    seed: int = 0,
    subsample: float = 1.0,
) -> Partition:
    return make_partition(
        categories,
        num_own_test,
        splitter=make_splitter(splitter, {}),
        splits=splits,
        num_clients=num_clients,
        seed=seed,
        subsample=subsample,
    )


def everything(result: Partition) -> list[int]:
    return sorted(index for name in ("train", "val", "test") for index in result.union(name).tolist())


@settings(max_examples=60, deadline=None)
@given(
    categories=CATEGORIES,
    splitter=st.sampled_from(["iid", "lda"]),
    num_clients=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
)
def test_clients_and_splits_cover_disjointly_and_repeat(
    categories: list[str | None], splitter: str, num_clients: int, seed: int
) -> None:
    try:
        result = partition(categories, splitter=splitter, num_clients=num_clients, seed=seed)
    except ResourceError as error:
        assert splitter == "lda" and "too few examples to train on" in str(error)
        return
    assert everything(result) == list(range(len(categories)))
    assert all(len(part) > 0 for client in result.clients for part in (client.train, client.val, client.test))
    assert result.hash() == partition(categories, 0, splitter, num_clients=num_clients, seed=seed).hash()


@settings(max_examples=40, deadline=None)
@given(categories=CATEGORIES, num_own_test=st.integers(1, 30), splitter=st.sampled_from(["iid", "lda", "meta"]))
def test_own_test_examples_are_dealt_and_none_is_taken_from_training(
    categories: list[str | None], num_own_test: int, splitter: str
) -> None:
    if len(set(categories[:-num_own_test])) < 3:
        return
    try:
        result = partition(categories, num_own_test, splitter)
    except ResourceError as error:
        assert splitter != "iid" and "too few examples to train on" in str(error)
        return
    first = len(categories) - num_own_test
    assert result.union("test").tolist() == list(range(first, len(categories)))
    assert everything(result) == list(range(len(categories)))


def test_own_test_examples_follow_the_clients_categories() -> None:
    categories: list[str | None] = [*"abc" * 30, *"abc" * 10, "unseen"]
    result = partition(categories, 31, splitter="meta")
    for client in result.clients:
        trained = {categories[index] for index in client.train}
        tested = Counter(categories[index] for index in client.test)
        assert len(trained) == 1
        assert set(tested) - {"unseen"} == trained
        assert all(tested[name] == 10 for name in trained)
    assert sum(categories[index] == "unseen" for index in result.union("test")) == 1


def test_own_test_examples_are_in_proportion_to_the_training_rows() -> None:
    sizes = [len(client.test) for client in partition([None] * 330, 30, num_clients=4).clients]
    assert sum(sizes) == 30 and set(sizes) <= {7, 8}


@pytest.mark.parametrize("num_own_test", [0, 20])
def test_a_test_fraction_of_zero_means_no_test(num_own_test: int) -> None:
    result = partition([None] * 100, num_own_test, splits=(0.9, 0.1, 0.0))
    assert len(result.union("test")) == 0
    assert everything(result) == list(range(100 - num_own_test))


def test_fractions_are_kept_exactly_and_the_rest_is_unused() -> None:
    (client,) = partition([None] * 1000, splits=(0.5, 0.2, 0.1), num_clients=1).clients
    assert [len(client.train), len(client.val), len(client.test)] == [500, 200, 100]


def test_small_clients_lend_training_examples_with_one_warning() -> None:
    result = partition([None] * 40, splits=(0.998, 0.001, 0.001), num_clients=4)
    assert [[len(part.train), len(part.val), len(part.test)] for part in result.clients] == [[8, 1, 1]] * 4
    assert len(result.warnings) == 1 and result.warnings[0].startswith("4 of 4 clients are too small")


def test_large_clients_lend_nothing() -> None:
    assert partition([None] * 400, num_clients=4).warnings == ()


def test_a_client_without_a_training_example_is_an_error() -> None:
    with pytest.raises(ResourceError, match=r"8 of 8 clients \(number 0, 1, 2, 3, 4, \.\.\.\) have too few"):
        partition([None] * 16, num_clients=8)


def test_clients_without_own_test_examples_are_reported() -> None:
    result = partition([None] * 102, 2, num_clients=4)
    assert result.warnings == ("2 of 4 clients get no example of the dataset's own test set",)


def test_subsampling_keeps_the_fraction_of_both_parts() -> None:
    result = partition([None] * 1200, 200, subsample=0.25)
    assert len(result.union("train")) + len(result.union("val")) == 250
    assert len(result.union("test")) == 50
    assert result.union("test").min() >= 1000 > result.union("train").max()
    assert result.hash() == partition([None] * 1200, 200, subsample=0.25).hash()


@settings(max_examples=60, deadline=None)
@given(
    categories=CATEGORIES,
    num_own_test=st.integers(0, 30),
    subsample=st.floats(0.3, 1.0),
    splitter=st.sampled_from(["iid", "lda", "meta"]),
    seed=st.integers(0, 99),
)
def test_subsampling_leaves_the_fraction_of_each_part_to_every_splitter(
    categories: list[str | None], num_own_test: int, subsample: float, splitter: str, seed: int
) -> None:
    first = len(categories) - num_own_test
    try:
        result = partition(categories, num_own_test, splitter, num_clients=2, seed=seed, subsample=subsample)
    except ResourceError as error:
        assert splitter != "iid" and ("too few" in str(error) or "categories" in str(error))
        return
    kept = everything(result)
    assert len(set(kept)) == len(kept)
    expected = [max(1, round(subsample * size)) if size else 0 for size in (first, num_own_test)]
    assert [sum(index < first for index in kept), sum(index >= first for index in kept)] == expected


def test_the_seed_decides() -> None:
    assert len({partition([None] * 60, seed=seed).hash() for seed in range(5)}) == 5


def test_some_missing_categories_are_a_category() -> None:
    categories: list[str | None] = ["a", "b", None] * 20
    held = [{categories[index] for index in client.train} for client in partition(categories, 0, "meta").clients]
    assert sorted(held, key=str) == sorted([{"a"}, {"b"}, {None}], key=str)


def test_validation_follows_the_division_of_training() -> None:
    categories: list[str | None] = ["a", "b", "c"] * 20
    for client in partition(categories, 0, "meta").clients:
        rows = np.concatenate([client.train, client.val, client.test])
        assert len({categories[index] for index in rows}) == 1
