"""Aggregation: the results of a round become one record, and the record the next global parameters.

FedAvg (McMahan et al., AISTATS 2017): the mean of the clients' parameters, weighted by examples. Results are folded
in client order, so that the sum is the same whatever engine made them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.randomness import stream_key
from fedmezo.federation.distance import update_distances
from fedmezo.federation.messages import Plan, Task
from fedmezo.ledger.records import ClientRecord, Rejection, RoundRecord
from fedmezo.models.flat_parameters import Span, point_hash
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import DirectionKeys, Replay, Steps


@dataclass(frozen=True)
class Result:
    """What became of a task: an update that counts, or why it does not."""

    task: Task
    update: LocalUpdate | Rejection
    seconds: float


@dataclass(frozen=True)
class Weighting:
    """A client's numerator in the average: examples trained on in the round, examples it holds, or 1.

    A client that trained on nothing (no step was finite) has no say.
    """

    dataset_sizes: Sequence[int]
    by_dataset: bool = False
    ignored: bool = False

    def __call__(self, client: int, trained: int) -> int:
        """Return the numerator of a client."""
        if trained == 0 or self.ignored:
            return int(trained > 0)
        return self.dataset_sizes[client] if self.by_dataset else trained


class Aggregation(Protocol):
    """How the updates of a trainer are combined."""

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor) -> RoundRecord:
        """Fold the results of a round, which come in client order; ``start`` [d] is what the clients started from."""
        ...

    def apply(self, record: RoundRecord, start: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the parameters [d] after the round; ``out``, which may be ``start``, is written to if given."""
        ...

    def seconds(self, record: RoundRecord, size: int) -> float:
        """Return about how long it takes to apply a record of past rounds to ``size`` parameters."""
        ...


@dataclass(frozen=True)
class ScalarAggregation:
    """Scalars travel: the record holds every projected gradient, and applying it is its replay.

    Args:
        replay: the arithmetic of the run's updates.
        keys: stream keys of the directions.
        weighting: numerators of the average.
        spans: parameter tensors, for update distances; empty if no strategy asks for them.
        seed: of the run, for what rounds parameters in half precision, once a round.
    """

    replay: Replay
    keys: DirectionKeys
    weighting: Weighting
    spans: tuple[Span, ...] = ()
    seed: int = 0

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor) -> RoundRecord:
        """Return the record of the round; with ``spans``, clients are replayed once more for their distances."""
        clients, rejected = [], []
        for result in results:
            if isinstance(result.update, Rejection):
                rejected.append(result.update)
            else:
                clients.append(_client_record(result, result.update, self.weighting))
        record = RoundRecord(plan.round_index, tuple(clients), tuple(rejected))
        if not self.spans:
            return record
        own = self._steps(record, shares=[1.0] * len(clients))
        precision = torch.promote_types(start.dtype, torch.float32)  # rounding to half would drown the differences

        def points() -> Iterator[Tensor]:
            return (self.replay(start, [steps], torch.empty_like(start, dtype=precision)) for steps in own)

        return _with_distances(record, points, self.spans)

    def apply(self, record: RoundRecord, start: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the replay of the record from ``start`` [d]."""
        total = sum(client.weight for client in record.clients)
        if total == 0:
            return start
        steps = self._steps(record, [client.weight / total for client in record.clients])
        return self.replay(start, steps, out, stream_key(self.seed, "rounding", round_index=record.round_index))

    def seconds(self, record: RoundRecord, size: int) -> float:
        """Return about how long :meth:`apply` takes for ``size`` parameters, by trying its directions on a few."""
        scalars = sum(client.gradients.size for client in record.clients if client.gradients is not None)
        return scalars * size * self.replay.seconds_per_value

    def _steps(self, record: RoundRecord, shares: Sequence[float]) -> list[Steps]:
        sequences = []
        for client, share in zip(record.clients, shares, strict=True):
            assert client.gradients is not None
            keys = self.keys(record.round_index, client.client, len(client.gradients))
            sequences.append(Steps(keys, client.gradients, client.learning_rate, share))
        return sequences


@dataclass(frozen=True)
class WeightAggregation:
    """Weights travel: parameters are averaged in fp64 as they arrive.

    Args:
        weighting: numerators of the average.
        spans: parameter tensors, for update distances (which hold every client's parameters until the round's end).
    """

    weighting: Weighting
    spans: tuple[Span, ...] = ()

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor) -> RoundRecord:
        """Return the record of the round with the averaged parameters."""
        total, weights, clients, rejected = torch.zeros_like(start, dtype=torch.float64), 0, [], []
        held: list[Tensor] = []
        for result in results:
            if isinstance(result.update, Rejection):
                rejected.append(result.update)
                continue
            assert result.update.point is not None
            point = result.update.point.to(start.device)
            clients.append(_client_record(result, result.update, self.weighting))
            weights += clients[-1].weight
            total += point.double() * clients[-1].weight
            if self.spans:
                held.append(point)
        mean = (total / weights).to(start.dtype) if weights else start
        record = RoundRecord(plan.round_index, tuple(clients), tuple(rejected), point_hash(mean), mean)
        return _with_distances(record, lambda: iter(held), self.spans) if self.spans else record

    def apply(self, record: RoundRecord, start: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the averaged parameters of the record."""
        assert record.parameters is not None
        if out is None:
            return record.parameters
        return out.copy_(record.parameters)

    def seconds(self, record: RoundRecord, size: int) -> float:
        """Return how long replaying the record takes: it cannot be."""
        return math.inf


def _client_record(result: Result, update: LocalUpdate, weighting: Weighting) -> ClientRecord:
    task = result.task
    failed = None
    if update.gradients is not None and update.failed:
        failed = np.zeros(update.gradients.shape, dtype=bool)
        failed[tuple(zip(*update.failed, strict=True))] = True
    return ClientRecord(
        client=task.client,
        learning_rate=task.learning_rate,
        examples=update.examples,
        weight=weighting(task.client, update.examples),
        train_loss=update.train_loss,
        nonfinite=update.nonfinite,
        gradients=update.gradients,
        failed=failed,
        seconds=result.seconds,
    )


def _with_distances(
    record: RoundRecord, points: Callable[[], Iterator[Tensor]], spans: tuple[Span, ...]
) -> RoundRecord:
    distances = update_distances(points, spans)
    clients = (
        replace(client, update_distance=distance) for client, distance in zip(record.clients, distances, strict=True)
    )
    return replace(record, clients=tuple(clients))
