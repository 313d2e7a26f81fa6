"""The contract of a splitter, on every one that is registered."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.randomness import generator
from fedmezo.data.splitters import registry
from fedmezo.data.splitters.make import make_splitter
from fedmezo.data.splitters.splitter import Indices

ALPHAS = st.floats(min_value=0.05, max_value=100.0)
LABELS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=120)


def split(
    name: str,
    labels: Sequence[str] | None,
    num_examples: int,
    num_clients: int,
    seed: int,
    **arguments: object,
) -> list[Indices]:
    splitter = make_splitter(name, arguments)
    return splitter(labels, num_examples, num_clients, generator(seed))


def check_cover(parts: list[Indices], num_examples: int, num_clients: int) -> None:
    assert len(parts) == num_clients
    assert all(len(part) > 0 and part.dtype == np.int64 for part in parts)
    assert all((np.diff(part) > 0).all() for part in parts)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(num_examples))


@pytest.mark.parametrize("name", sorted(registry.names()))
@settings(max_examples=60, deadline=None)
@given(labels=LABELS, num_clients=st.integers(1, 12), seed=st.integers(0, 2**63 - 1))
def test_every_splitter_covers_disjointly_and_repeats_itself(
    name: str, labels: list[str], num_clients: int, seed: int
) -> None:
    try:
        parts = split(name, labels, len(labels), num_clients, seed)
    except ResourceError as error:
        too_few = len(labels) < num_clients or (name == "meta" and len(set(labels)) < num_clients)
        assert too_few and "client" in str(error)
        return
    check_cover(parts, len(labels), num_clients)
    again = split(name, labels, len(labels), num_clients, seed)
    assert all(np.array_equal(part, other) for part, other in zip(parts, again, strict=True))


@pytest.mark.parametrize("name", sorted(registry.names()))
def test_every_splitter_refuses_fewer_examples_than_clients(name: str) -> None:
    with pytest.raises(ResourceError, match=r"federate\.client_num = 4: only 3 training examples"):
        split(name, ["a", "b", "c"], 3, 4, seed=0)


@pytest.mark.parametrize("name", sorted(registry.names()))
def test_every_splitter_depends_on_the_generator(name: str) -> None:
    labels = list("abcdefgh") * 10
    divisions = {str([part.tolist() for part in split(name, labels, 80, 3, seed)]) for seed in range(5)}
    assert len(divisions) > 1


@pytest.mark.parametrize("name", sorted(registry.names()))
def test_every_splitter_refuses_an_unknown_argument(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} takes no alhpa"):
        make_splitter(name, {"alhpa": 0.5})


def test_an_unknown_splitter_names_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError, match="allowed are iid, lda, meta, natural; the nearest is meta"):
        make_splitter("metta", {})


def test_an_empty_name_is_iid() -> None:
    check_cover(make_splitter("", {})(None, 7, 3, generator(1)), 7, 3)


@settings(max_examples=40, deadline=None)
@given(num_examples=st.integers(1, 200), num_clients=st.integers(1, 20), seed=st.integers(0, 99))
def test_iid_parts_differ_by_at_most_one(num_examples: int, num_clients: int, seed: int) -> None:
    if num_examples < num_clients:
        return
    sizes = [len(part) for part in split("iid", None, num_examples, num_clients, seed)]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=40, deadline=None)
@given(labels=LABELS, seed=st.integers(0, 99), data=st.data())
def test_meta_gives_whole_categories_evenly(labels: list[str], seed: int, data: st.DataObject) -> None:
    num_clients = data.draw(st.integers(1, len(set(labels))))
    parts = split("meta", labels, len(labels), num_clients, seed)
    held = [{labels[index] for index in part} for part in parts]
    assert sum(map(len, held)) == len(set(labels))
    assert max(map(len, held)) - min(map(len, held)) <= 1


def test_meta_says_what_to_do_without_enough_categories() -> None:
    with pytest.raises(
        ResourceError, match=r"the same command with\n +data\.fields\.category FIELD\n(.|\n)* +data\.splitter iid"
    ):
        split("meta", None, 9, 3, seed=0)
    with pytest.raises(ResourceError, match=r"use federate\.client_num 2 or less, or data\.splitter iid"):
        split("meta", ["a", "b"] * 5, 10, 3, seed=0)


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, num_clients=st.integers(1, 12), seed=st.integers(0, 99), alpha=ALPHAS)
def test_lda_covers_at_every_alpha(labels: list[str], num_clients: int, seed: int, alpha: float) -> None:
    if len(labels) >= num_clients:
        check_cover(split("lda", labels, len(labels), num_clients, seed, alpha=alpha), len(labels), num_clients)


@pytest.mark.parametrize("num_clients", [3, 40])
def test_lda_needs_no_labels_and_leaves_no_client_empty(num_clients: int) -> None:
    check_cover(split("lda", None, 60, num_clients, seed=0, alpha=0.05), 60, num_clients)


def test_a_large_alpha_makes_clients_alike_and_a_small_one_different() -> None:
    labels = [letter for letter in "abcd" for _ in range(300)]

    def largest_share(alpha: float) -> float:
        parts = split("lda", labels, len(labels), 4, seed=3, alpha=alpha)
        counts = [Counter(labels[index] for index in part) for part in parts]
        return float(np.mean([max(count[letter] for count in counts) / 300 for letter in "abcd"]))

    assert largest_share(100.0) < 0.35
    assert largest_share(0.05) > 0.8


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "0.5", True, None])
def test_lda_refuses_what_is_no_concentration(alpha: object) -> None:
    with pytest.raises(ConfigurationError, match=r"alpha = .*: expected a number > 0"):
        make_splitter("lda", {"alpha": alpha})


def test_the_natural_division_is_by_category_where_there_are_enough_else_iid() -> None:
    def same(labels: list[str] | None, clients: int, other: str) -> bool:
        found, wanted = (split(name, labels, 12, clients, seed=5) for name in ("natural", other))
        return all(np.array_equal(part, own) for part, own in zip(found, wanted, strict=True))

    labels = ["a", "b", "c"] * 4
    assert same(labels, 3, "meta") and same(labels, 4, "iid") and same(None, 3, "iid") and not same(labels, 3, "iid")
