import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedmezo.assembly import LearningTask
from fedmezo.data.batches import Batch
from fedmezo.evaluation.losses import Evaluator, ExampleLosses, example_losses, split_loss

LOSSES = ExampleLosses(
    np.array([3, 4, 7, 9]), np.array([6.0, 1.0, 8.0, 3.0]), np.array([2, 1, 4, 1]), np.array([1, 1, 0, 1])
)


def ids(*indices: int) -> NDArray[np.int64]:
    return np.array(indices, dtype=np.int64)


def test_the_pooled_loss_is_the_mean_over_tokens() -> None:
    assert split_loss(LOSSES, None) == (6 + 1 + 8 + 3) / (2 + 1 + 4 + 1)


def test_the_loss_per_client_is_weighted_by_examples() -> None:
    clients = [ids(3, 4, 9), ids(7), ids()]
    assert split_loss(LOSSES, clients) == (3 * (6 + 1 + 3) / (2 + 1 + 1) + 1 * 8 / 4) / 4


def test_clients_whose_examples_were_left_out_do_not_count() -> None:
    assert split_loss(LOSSES, [ids(1, 2, 7), ids(0, 11)]) == 8 / 4


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), min_size=1, max_size=20))
def test_a_single_client_holds_the_pool(rows: list[tuple[float, int]]) -> None:
    sums, tokens = zip(*rows, strict=True)
    losses = ExampleLosses(np.arange(len(rows)), np.array(sums), np.array(tokens), np.array(tokens))
    assert split_loss(losses, [np.arange(len(rows))]) == pytest.approx(split_loss(losses, None), rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_example_losses_come_in_the_order_asked_for(tiny_task: LearningTask, batch_size: int) -> None:
    indices = tiny_task.data.partition.union("train")[:7]
    done: list[int] = []
    losses = example_losses(
        tiny_task.scorer,
        tiny_task.start,
        tiny_task.collate,
        indices,
        lambda index: -index * 7 % 5,  # any order of scoring will do
        batch_size,
        done.append,
    )
    alone = [tiny_task.scorer.loss(tiny_task.start, tiny_task.collate(indices[i : i + 1])) for i in range(7)]
    assert (losses.sums / losses.tokens).tolist() == pytest.approx(alone, abs=1e-5)
    assert losses.tokens.tolist() == [tiny_task.data.encoded.num_labels(index) for index in indices]
    assert sum(done) == 7 and max(done) <= batch_size


def test_examples_of_similar_length_are_scored_together(tiny_task: LearningTask) -> None:
    lengths = {index: len(tiny_task.data.encoded.tokens(index)) for index in range(12)}
    batches: list[list[int]] = []

    def collate(indices: NDArray[np.int64]) -> Batch:
        batches.append([lengths[index] for index in indices])
        return tiny_task.collate(indices)

    example_losses(tiny_task.scorer, tiny_task.start, collate, np.arange(12), lengths.__getitem__, 4)
    assert [length for batch in batches for length in batch] == sorted(lengths.values())


def evaluator(pooled: bool = True) -> Evaluator:
    """Return an evaluator for which example i has i + 1 tokens and a summed loss of i * parameters[0]."""
    return Evaluator(
        lambda parameters, indices: ExampleLosses(indices, parameters.double().numpy() * indices, indices + 1, indices),
        {"val": [ids(5, 2), ids(0)], "test": [ids(8), ids(1, 3)]},
        ["even", "odd", None] * 3,
        pooled,
    )


def test_every_split_is_evaluated_pooled_or_per_client() -> None:
    losses = evaluator()(torch.tensor([2.0]))
    assert {split: rows.sums.tolist() for split, rows in losses.items()} == {"val": [0, 4, 10], "test": [2, 6, 16]}
    assert evaluator().summary(losses) == {"val": 14 / 10, "test": 24 / 15}
    per_client = evaluator(pooled=False).summary(losses)
    assert per_client == {
        "val": pytest.approx((2 * 14 / 9 + 0) / 3),
        "test": pytest.approx((16 / 9 + 2 * 8 / 6) / 3),
    }


def test_accuracy_and_exact_match() -> None:
    assert (LOSSES.accuracy(), LOSSES.exact_match()) == (3 / 8, 2 / 4)


def test_details_are_by_client_and_by_category() -> None:
    one = evaluator()
    found = one.details(one(torch.tensor([1.0])))
    assert found["val"] == {
        "accuracy": (0 + 2 + 5) / (1 + 3 + 6),
        "exact_match": 0.0,
        "clients": {"0": (2 + 5) / (3 + 6), "1": 0.0},
        "categories": {"even": 0.0},  # examples 2 and 5 have none
        "client_accuracy": {"0": (2 + 5) / (3 + 6), "1": 0.0},
        "category_accuracy": {"even": 0.0},
    }


def test_without_categories_there_are_no_losses_by_category() -> None:
    one = replace(evaluator(), categories=())
    assert one.details(one(torch.tensor([1.0])))["val"]["categories"] == {}


def test_a_loss_that_is_not_a_number_is_not_hidden() -> None:
    losses = ExampleLosses(ids(0, 1), np.array([math.nan, 1.0]), np.array([1, 1]), np.array([0, 1]))
    assert math.isnan(split_loss(losses, None))
    assert math.isnan(split_loss(losses, [ids(0), ids(1)]))
