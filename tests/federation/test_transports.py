"""Scalars equal weights: within 1e-9 of the total update in fp64, within 2 ulp of what is summed in a round in fp32.

Clients learn on a smooth function with parameters that decay and parameters that do not, so that fp64 can be followed
through trainer, messages, server and replay.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions
from fedmezo.data.client_batches import LocalData
from fedmezo.federation import strategies
from fedmezo.federation.aggregation.folding import ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Uplink
from fedmezo.federation.engines.local import LocalEngine
from fedmezo.federation.messages import Message, Reply
from fedmezo.federation.sampling import Draw
from fedmezo.federation.sampling.uniform import Uniform
from fedmezo.federation.server import Rates, Server
from fedmezo.federation.validation import AnswerValidation
from fedmezo.ledger.records import RoundRecord
from fedmezo.models.flat_parameters import Span
from fedmezo.training import LocalUpdate
from fedmezo.training.mezo import MezoTrainer
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.replay import DirectionKeys, Replay
from fedmezo.zeroth_order.scoring import Request
from tests.example_counts import examples
from tests.federation.engines.alone import replies

NAME = b"identity"
SIZE, DECAYING, STEPS, ROUNDS = 60, 40, 5, examples(8, least=4)
SPANS = (Span("a", 0, DECAYING, torch.Size([8, 5]), True), Span("b", DECAYING, SIZE, torch.Size([20]), False))
RUNS = ((0, DECAYING, True), (DECAYING, SIZE, False))


@dataclass(frozen=True)
class Smooth:
    """Stands for a scorer: sum log cosh(theta - target), the target being the example's."""

    directions: Directions
    in_place = False

    @contextmanager
    def restoring(self, start: Tensor) -> Iterator[None]:
        yield

    def losses_together(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._loss(request, lane.key, lane.scale) for lane in request.lanes] for request in requests]

    def _loss(self, request: Request, key: int, scale: float) -> float:
        point = request.point.double()
        if scale:
            point = point + scale * self.directions.values(key, 0, SIZE).double()
        targets = [direction(1000 + int(index), 0, SIZE).double() for index in request.batch.indices]
        return float(torch.stack([torch.log(torch.cosh(point - target)).sum() for target in targets]).mean())


def a_batch(indices: np.ndarray) -> Any:
    return SimpleNamespace(indices=indices, labels=indices)


@dataclass(frozen=True)
class Case:
    """A federation's settings."""

    dtype: torch.dtype
    decay: float
    strategy: str
    shared: bool
    clients: int
    partial: bool
    queries: int = 1


def a_federation(case: Case, scalars: bool) -> tuple[Server, LocalEngine]:
    replay = Replay(RUNS, case.decay, Directions("gaussian"))
    keys = DirectionKeys(5, case.queries, case.shared)
    examples = [np.arange(client, 20 + 5 * client, dtype=np.int64) for client in range(case.clients)]
    trainer = MezoTrainer(Smooth(replay.directions), replay, 1e-3, CentralDifference())  # type: ignore[arg-type]
    data = LocalData(dict(enumerate(examples)), a_batch, 0, 2, True, STEPS, False)
    work = ClientExecutor(trainer, data, keys, Uplink(NAME, None if scalars else replay), lambda loss: None)
    strategy = strategies.registry[case.strategy]()
    spans = SPANS if strategy.needs_update_distance else ()
    weighting = Weighting([len(own) for own in examples], by_dataset=case.partial)
    count = case.clients // 2 + 1 if case.partial else case.clients
    server = Server(
        parameters=direction(1, 0, SIZE).to(case.dtype),
        sample=lambda t: dict.fromkeys(Uniform().clients(Draw(3, t, count, [1] * case.clients)), STEPS),
        rates=Rates(strategy, 0.02, 0.01, lambda index: 1.0),
        validation=AnswerValidation(NAME, SIZE, case.queries if scalars else 0, data.most_examples, 1e6, case.dtype),
        aggregation=(
            ScalarAggregation(replay, keys, weighting, spans) if scalars else WeightAggregation(weighting, spans)
        ),
        seed=0,
    )
    return server, LocalEngine(work)


def a_round(server: Server, engine: LocalEngine, index: int) -> RoundRecord:
    plan = server.plan(index)
    found = replies(engine.run(plan, server.parameters))
    arrived = (Reply(reply.task, Message(bytes(reply.message)), 0.0) for reply in found)
    record = server.aggregate(plan, arrived)
    assert not record.rejected and len(record.clients) == len(plan.tasks)
    server.apply(record)
    return record


CASES = [
    Case(torch.float64, decay, strategy, shared, clients, partial)
    for decay in (0.0, 0.1)
    for strategy in sorted(strategies.registry.names())
    for shared in (False, True)
    for clients in (3, 7)
    for partial in (False, True)
] + [Case(torch.float64, 0.1, "frozen", False, 3, False, queries=3)]


@pytest.mark.covering(1)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_free_running_in_double_precision(case: Case) -> None:
    scalars, weights = a_federation(case, scalars=True), a_federation(case, scalars=False)
    start = scalars[0].parameters.clone()
    for index in range(ROUNDS):
        one, other = a_round(*scalars, index), a_round(*weights, index)
        for left, right in zip(one.clients, other.clients, strict=True):
            assert (left.client, left.weight, left.examples) == (right.client, right.weight, right.examples)
            assert left.learning_rate == pytest.approx(right.learning_rate, rel=1e-9)
    moved = (scalars[0].parameters - start).norm().item()
    apart = (scalars[0].parameters - weights[0].parameters).norm().item()
    assert moved > 0.1 and apart <= 1e-9 * moved
    assert scalars[0].parameters.dtype == torch.float64


@pytest.mark.covering(2)
@pytest.mark.parametrize("case", [replace(case, dtype=torch.float32) for case in CASES], ids=str)
def test_a_round_from_the_same_start_in_single_precision(case: Case) -> None:
    """Within 2 ulp of what is summed up, |start| + sum |c z|, with the same recorded g.

    Where terms cancel, the result has fewer digits than they have, whatever the order of the sum. Free-running fp32
    runs drift apart through g, by nature.
    """
    server, engine = a_federation(case, scalars=True)
    averaging, _ = a_federation(case, scalars=False)
    uplink = Uplink(NAME, Replay(RUNS, case.decay, Directions("gaussian")))
    for index in range(ROUNDS):
        start, plan = server.parameters.clone(), server.plan(index)
        record = a_round(server, engine, index)
        replies, summed = [], start.abs().double()
        for task, row in zip(plan.tasks, record.clients, strict=True):
            assert row.gradients is not None
            keys = DirectionKeys(5, case.queries, case.shared)(index, task.client, STEPS)
            update = LocalUpdate(row.train_loss, row.examples, row.nonfinite, gradients=row.gradients)
            replies.append(Reply(task, uplink(task, update, start, keys), 0.0))
            share = row.weight / sum(other.weight for other in record.clients) / case.queries
            for step, query in np.ndindex(row.gradients.shape):
                c = share * row.learning_rate * abs(float(row.gradients[step, query]))
                summed += c * direction(keys[step][query], 0, SIZE).double().abs()
        averaging.parameters = start
        mean = averaging.aggregation.apply(averaging.aggregate(plan, replies), start)[0]
        apart = (server.parameters - mean).abs().numpy()
        assert (apart <= 2 * np.finfo(np.float32).eps * summed.numpy()).all()
