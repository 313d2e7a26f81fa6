import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedmezo.evaluation.evaluator import Evaluator, mean_over_clients
from fedmezo.evaluation.metrics.make import make_metric, make_metrics
from fedmezo.ledger.records import Measured
from tests.evaluation.made import sums_of

LOSSES = sums_of([6.0, 1.0, 8.0, 3.0], [2, 1, 4, 1], [1, 1, 0, 1], indices=[3, 4, 7, 9])
LOSS = make_metric("loss")


def ids(*indices: int) -> NDArray[np.int64]:
    return np.array(indices, dtype=np.int64)


def test_the_pooled_loss_is_the_mean_over_tokens() -> None:
    assert LOSSES.result(LOSS) == (6 + 1 + 8 + 3) / (2 + 1 + 4 + 1)


def test_the_loss_per_client_is_weighted_by_examples() -> None:
    clients = [ids(3, 4, 9), ids(7), ids()]
    assert mean_over_clients(LOSSES, LOSS, clients) == (3 * (6 + 1 + 3) / (2 + 1 + 1) + 1 * 8 / 4) / 4


def test_clients_whose_examples_were_left_out_do_not_count() -> None:
    assert mean_over_clients(LOSSES, LOSS, [ids(1, 2, 7), ids(0, 11)]) == 8 / 4


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), min_size=1, max_size=20))
def test_a_single_client_holds_the_pool(rows: list[tuple[float, int]]) -> None:
    values, tokens = map(list, zip(*rows, strict=True))
    losses = sums_of(values, tokens)
    found = mean_over_clients(losses, LOSS, [np.arange(len(rows))])
    assert found == pytest.approx(losses.result(LOSS), rel=1e-12)


def evaluator(pooled: bool = True) -> Evaluator:
    """Return an evaluator for which example i has i + 1 tokens and a summed loss of i * parameters[0]."""
    return Evaluator(
        lambda parameters, indices: sums_of(
            list(parameters.double().numpy() * indices), list(indices + 1), list(indices), indices=list(indices)
        ),
        make_metrics(["loss", "accuracy", "exact_match", "perplexity"]),
        {"val": [ids(5, 2), ids(0)], "test": [ids(8), ids(1, 3)]},
        ["even", "odd", None] * 3,
        pooled,
    )


def test_every_split_is_evaluated_pooled_or_per_client() -> None:
    found = evaluator()(torch.tensor([2.0]))
    assert {split: sums.sums["loss"].values.tolist() for split, sums in found.items()} == {
        "val": [0, 4, 10],
        "test": [2, 6, 16],
    }
    results = {split: evaluator().results(split, sums) for split, sums in found.items()}
    assert [results[split]["loss"].value for split in ("val", "test")] == [14 / 10, 24 / 15]
    per_client = {split: evaluator(pooled=False).results(split, sums) for split, sums in found.items()}
    losses = [per_client[split]["loss"].value for split in ("val", "test")]
    assert losses == pytest.approx([(2 * 14 / 9 + 0) / 3, (16 / 9 + 2 * 8 / 6) / 3])
    for metric in ("accuracy", "exact_match", "perplexity"):  # are of the union, whatever the loss is of
        assert per_client["val"][metric] == results["val"][metric]


def test_results_are_by_client_and_by_category() -> None:
    one = evaluator()
    found = one.results("val", one(torch.tensor([1.0]))["val"])
    assert list(found) == ["loss", "accuracy", "exact_match", "perplexity"]
    of_first = (2 + 5) / (3 + 6)
    assert found["loss"] == Measured(7 / 10, False, {"0": of_first, "1": 0.0}, {"even": 0.0})  # 2 and 5 have none
    assert found["accuracy"] == Measured((0 + 2 + 5) / (1 + 3 + 6), True, {"0": of_first, "1": 0.0}, {"even": 0.0})
    assert found["exact_match"] == Measured(0.0, True)
    assert found["perplexity"].value == math.exp(7 / 10)
    assert found["perplexity"].clients == {"0": math.exp(of_first), "1": 1.0}


def test_without_categories_there_are_no_losses_by_category() -> None:
    one = replace(evaluator(), categories=())
    assert one.results("val", one(torch.tensor([1.0]))["val"])["loss"].categories == {}


def test_a_loss_that_is_not_a_number_is_not_hidden() -> None:
    losses = sums_of([math.nan, 1.0], [1, 1], [0, 1])
    assert math.isnan(losses.result(LOSS))
    assert math.isnan(mean_over_clients(losses, LOSS, [ids(0), ids(1)]))
