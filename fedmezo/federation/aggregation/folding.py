"""The results of a round become one record, and the record the next global parameters, whatever the rule.

Results are folded in client order, so that the sum is the same whatever engine made them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.randomness import stream_key
from fedmezo.federation.aggregation import NO_STATE, Rule, State
from fedmezo.federation.aggregation.distance import update_distances
from fedmezo.federation.aggregation.fedavg import FedAvg
from fedmezo.federation.aggregation.validation import checked_result
from fedmezo.federation.messages import Plan, Task
from fedmezo.ledger.records import ClientRecord, Rejection, RoundRecord
from fedmezo.models.flat_parameters import Span
from fedmezo.models.hashing import point_hash
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import DirectionKeys, Replay, Steps

CHUNK = 1 << 22  # elements of a vector that are in fp64 besides the sum


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
    """How the updates of a trainer are combined: by a rule, on what travels.

    ``replays`` says whether whoever applies a record needs the rule's state: else the record holds its result.
    """

    replays: ClassVar[bool]

    @property
    def rule(self) -> Rule:
        """What the updates become."""
        ...

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor, state: State = NO_STATE) -> RoundRecord:
        """Fold the results of a round, which come in client order; ``start`` [d] is what the clients started from."""
        ...

    def apply(
        self, record: RoundRecord, start: Tensor, out: Tensor | None = None, state: State = NO_STATE
    ) -> tuple[Tensor, State]:
        """Return the parameters [d] after the round, and the rule's state.

        Args:
            record: of the round.
            start: the parameters before it.
            out: written to, if given; may be ``start``.
            state: the rule's before it.
        """
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
        rule: what the updates become.
    """

    replays: ClassVar[bool] = True
    replay: Replay
    keys: DirectionKeys
    weighting: Weighting
    spans: tuple[Span, ...] = ()
    seed: int = 0
    rule: Rule = field(default_factory=FedAvg)

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor, state: State = NO_STATE) -> RoundRecord:
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
        updates = _Replayed(self, record, start)
        return _with_distances(record, lambda: updates.points_of(record.clients), self.spans)

    def apply(
        self, record: RoundRecord, start: Tensor, out: Tensor | None = None, state: State = NO_STATE
    ) -> tuple[Tensor, State]:
        """Return what the rule makes of the replayed record, from ``start`` [d]."""
        if not any(client.weight for client in record.clients):
            return start, state
        updates = _Replayed(self, record, start, out)
        point, after = checked_result(self.rule, self.rule.apply(updates, state), start, state)
        return _placed(point, start, out), after

    def seconds(self, record: RoundRecord, size: int) -> float:
        """Return about how long :meth:`apply` takes for ``size`` parameters, by trying its directions on a few."""
        scalars = sum(client.gradients.size for client in record.clients if client.gradients is not None)
        return scalars * size * self.replay.seconds_per_value


@dataclass(frozen=True)
class _Replayed:
    """The updates of a round of scalars: replays of the record."""

    aggregation: ScalarAggregation
    record: RoundRecord
    start: Tensor
    out: Tensor | None = None

    def weights(self) -> Sequence[int]:
        return [client.weight for client in self.record.clients if client.weight]

    def points(self) -> Iterator[Tensor]:
        return self.points_of([client for client in self.record.clients if client.weight])

    def points_of(self, clients: Sequence[ClientRecord]) -> Iterator[Tensor]:
        precision = torch.promote_types(self.start.dtype, torch.float32)  # rounding to half would drown the differences
        for client in clients:
            point = torch.empty_like(self.start, dtype=precision)
            yield self.aggregation.replay(self.start, [self._steps(client, 1.0)], point)

    def average(self, *, keep_start: bool = False) -> Tensor:
        total = sum(client.weight for client in self.record.clients)
        steps = [self._steps(client, client.weight / total) for client in self.record.clients]
        key = stream_key(self.aggregation.seed, "rounding", round_index=self.record.round_index)
        return self.aggregation.replay(self.start, steps, None if keep_start else self.out, key)

    def _steps(self, client: ClientRecord, share: float) -> Steps:
        assert client.gradients is not None
        keys = self.aggregation.keys(self.record.round_index, client.client, len(client.gradients))
        return Steps(keys, client.gradients, client.learning_rate, share)


@dataclass(frozen=True)
class WeightAggregation:
    """Weights travel: the rule is applied once, as the parameters arrive, and the record holds its result.

    Args:
        weighting: numerators of the average.
        spans: parameter tensors, for update distances (which hold every client's parameters until the round's end).
        rule: what the updates become.
    """

    replays: ClassVar[bool] = False
    weighting: Weighting
    spans: tuple[Span, ...] = ()
    rule: Rule = field(default_factory=FedAvg)

    def aggregate(self, plan: Plan, results: Iterable[Result], start: Tensor, state: State = NO_STATE) -> RoundRecord:
        """Return the record of the round with the parameters and the state after it."""
        hold = bool(self.spans) or not isinstance(self.rule, FedAvg)
        updates = _Arriving(iter(results), start, self.weighting, hold)
        point, after = start, state
        if updates.any():
            point, after = checked_result(self.rule, self.rule.apply(updates, state), start, state)
        updates.finish()
        point = point.to(start.dtype)
        record = RoundRecord(
            plan.round_index, tuple(updates.clients), tuple(updates.rejected), point_hash(point), point, after
        )
        return _with_distances(record, lambda: iter(updates.held), self.spans) if self.spans else record

    def apply(
        self, record: RoundRecord, start: Tensor, out: Tensor | None = None, state: State = NO_STATE
    ) -> tuple[Tensor, State]:
        """Return the parameters and the state that the record holds."""
        assert record.parameters is not None
        return _placed(record.parameters, start, out), record.state

    def seconds(self, record: RoundRecord, size: int) -> float:
        """Return how long replaying the record takes: it cannot be."""
        return math.inf


class _Arriving:
    """The updates of a round of weights, taken in as they arrive; FedAvg alone needs none of them held."""

    def __init__(self, results: Iterator[Result], start: Tensor, weighting: Weighting, hold: bool) -> None:
        self.start = start
        self.clients: list[ClientRecord] = []
        self.rejected: list[Rejection] = []
        self.held: list[Tensor] = []  # of all clients, also those without weight
        self._results = results
        self._weighting = weighting
        self._hold = hold
        self._first: Tensor | None = None  # has arrived, and is not folded yet

    def any(self) -> bool:
        """Return whether an update with a weight arrives at all."""
        self._first = next(self._counted(), None)
        return self._first is not None

    def finish(self) -> None:
        """Take in all that have not been asked for."""
        for _ in self._counted():
            pass

    def weights(self) -> Sequence[int]:
        self.finish()
        return [client.weight for client in self.clients if client.weight]

    def points(self) -> Iterator[Tensor]:
        self.finish()
        pairs = zip(self.clients, self.held, strict=True)
        return (point.to(torch.promote_types(point.dtype, torch.float32)) for client, point in pairs if client.weight)

    def average(self, *, keep_start: bool = False) -> Tensor:
        total, weights = torch.zeros_like(self.start, dtype=torch.float64), 0
        for weight, point in zip(self.weights(), self.points(), strict=True) if self._hold else self._folded():
            weights += weight
            for part, own in zip(torch.split(total, CHUNK), torch.split(point, CHUNK), strict=True):
                part += own.double() * weight
        mean = torch.empty_like(self.start)
        for part, own in zip(torch.split(mean, CHUNK), torch.split(total, CHUNK), strict=True):
            part.copy_(own / weights)
        return mean

    def _folded(self) -> Iterator[tuple[int, Tensor]]:
        first, self._first = self._first, None
        assert first is not None
        yield self.clients[-1].weight, first
        del first
        yield from ((self.clients[-1].weight, point) for point in self._counted())

    def _counted(self) -> Iterator[Tensor]:
        """Yield the parameters of the results that have a weight, noting all."""
        for result in self._results:
            if isinstance(result.update, Rejection):
                self.rejected.append(result.update)
                continue
            assert result.update.point is not None
            point = result.update.point.to(self.start.device)
            self.clients.append(_client_record(result, result.update, self._weighting))
            if self._hold:
                self.held.append(point)
            if self.clients[-1].weight:
                yield point


def _placed(point: Tensor, start: Tensor, out: Tensor | None) -> Tensor:
    """Return parameters in the run's precision, in ``out`` if given."""
    if out is None:
        return point.to(start.dtype)
    return out if point is out else out.copy_(point)


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
