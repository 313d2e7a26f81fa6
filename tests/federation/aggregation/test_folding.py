"""FedAvg of scalars and of weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions
from fedmezo.federation.aggregation.distance import update_distances
from fedmezo.federation.aggregation.folding import Aggregation, Result, ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.messages import Plan, Task
from fedmezo.ledger.codec import pack, unpack
from fedmezo.ledger.records import RoundRecord
from fedmezo.models.flat_parameters import Span
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import DirectionKeys, Replay, Steps

SIZE = 50
START = direction(1, 0, SIZE)
KEYS = DirectionKeys(seed=9)
SPANS = (Span("a", 0, 20, torch.Size([4, 5]), True), Span("b", 20, SIZE, torch.Size([30]), False))
SIZES = (10, 20, 70)
RATES = (0.1, 0.2, 0.05)
REPLAY = Replay(((0, SIZE, True),), 0.0, Directions("gaussian"))


def gradients(client: int, steps: int = 4) -> np.ndarray:
    return np.random.default_rng(client).normal(size=(steps, 1)).astype(np.float32)


def own_point(client: int) -> torch.Tensor:
    """The client's parameters after its steps, which are what travels as weights."""
    return REPLAY(START, [Steps(KEYS(5, client, 4), gradients(client), RATES[client])])


def results(scalars: bool, examples: tuple[int, ...] = (4, 8, 4)) -> tuple[Plan, list[Result]]:
    tasks = [Task(5, client, RATES[client], 4) for client in range(3)]
    found = []
    for task, count in zip(tasks, examples, strict=True):
        update = LocalUpdate(1.0 + task.client, count, 0)
        update = (
            replace(update, gradients=gradients(task.client))
            if scalars
            else replace(update, point=own_point(task.client))
        )
        found.append(Result(task, update, 0.1))
    return Plan(5, tuple(tasks)), found


def apply(aggregation: Aggregation, scalars: bool, examples: tuple[int, ...] = (4, 8, 4)) -> torch.Tensor:
    plan, answers = results(scalars, examples)
    return aggregation.apply(aggregation.aggregate(plan, iter(answers), START), START)[0]


@pytest.mark.parametrize(
    ("weighting", "weights"),
    [
        (Weighting(SIZES), (4, 8, 4)),
        (Weighting(SIZES, by_dataset=True), SIZES),
        (Weighting(SIZES, ignored=True), (1, 1, 1)),
    ],
)
def test_scalars_and_weights_are_the_weighted_mean(weighting: Weighting, weights: tuple[int, ...]) -> None:
    shares = np.array(weights) / sum(weights)
    mean = sum(share * own_point(client).double() for client, share in enumerate(shares.tolist()))
    for aggregation, scalars in (
        (ScalarAggregation(REPLAY, KEYS, weighting), True),
        (WeightAggregation(weighting), False),
    ):
        torch.testing.assert_close(apply(aggregation, scalars).double(), mean, rtol=0, atol=3e-7)


def test_an_average_of_weights_needs_no_second_vector_in_fp64(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum is in fp64, [d]; what is added to it, and what it becomes, is so a part at a time."""
    monkeypatch.setattr("fedmezo.federation.aggregation.folding.CHUNK", 7)
    widened: list[int] = []
    double = torch.Tensor.double

    def noted(self: torch.Tensor) -> torch.Tensor:
        widened.append(self.numel())
        return double(self)

    monkeypatch.setattr(torch.Tensor, "double", noted)
    found = apply(WeightAggregation(Weighting(SIZES)), False)
    assert sum(widened) == 3 * SIZE and max(widened) == 7
    total = sum(double(own_point(client)) * weight for client, weight in enumerate((4, 8, 4)))
    assert isinstance(total, torch.Tensor) and torch.equal(found, (total / 16).float())


def test_a_record_holds_all_that_applying_needs() -> None:
    aggregation = ScalarAggregation(REPLAY, KEYS, Weighting(SIZES))
    plan, answers = results(scalars=True)
    record = aggregation.aggregate(plan, iter(answers), START)
    copied = unpack(*pack(record))
    assert isinstance(copied, RoundRecord)
    assert torch.equal(aggregation.apply(copied, START)[0], aggregation.apply(record, START)[0])


@pytest.mark.parametrize("scalars", [True, False])
def test_a_client_that_trained_on_nothing_has_no_say(scalars: bool) -> None:
    for by_dataset in (False, True):
        weighting = Weighting(SIZES, by_dataset)
        aggregation: Aggregation = (
            ScalarAggregation(REPLAY, KEYS, weighting) if scalars else WeightAggregation(weighting)
        )
        torch.testing.assert_close(apply(aggregation, scalars, (0, 8, 0)), own_point(1), rtol=0, atol=2e-7)
        assert torch.equal(apply(aggregation, scalars, (0, 0, 0)), START)


def test_one_client_alone_is_its_own_point_to_the_bit() -> None:
    for aggregation, scalars in (
        (ScalarAggregation(REPLAY, KEYS, Weighting(SIZES)), True),
        (WeightAggregation(Weighting(SIZES)), False),
    ):
        assert torch.equal(apply(aggregation, scalars, (0, 7, 0)), own_point(1))


def test_distances_are_the_formula_and_equal_for_both_transports() -> None:
    deltas = torch.stack([own_point(client).double() - START.double() for client in range(3)])
    centred = deltas - deltas.mean(dim=0)
    wanted = [sum(row[span.start : span.stop].norm().item() for span in SPANS) for row in centred]
    found = []
    for aggregation, scalars in (
        (ScalarAggregation(REPLAY, KEYS, Weighting(SIZES), SPANS), True),
        (WeightAggregation(Weighting(SIZES), SPANS), False),
    ):
        plan, answers = results(scalars)
        record = aggregation.aggregate(plan, iter(answers), START)
        found.append([client.update_distance for client in record.clients])
    assert found[0] == found[1]
    assert found[0] == pytest.approx(wanted, rel=1e-12)


def test_distances_of_equal_points_are_zero() -> None:
    assert update_distances(lambda: iter([START, START]), SPANS) == [0.0, 0.0]
    assert update_distances(lambda: iter([]), SPANS) == []
