"""FedMeZO's local training: zeroth-order SGD along seeded directions.

Source: Ling et al., "On the convergence of zeroth-order federated tuning for large language models" (KDD 2024),
algorithm 1, with the central difference of MeZO (Malladi et al., NeurIPS 2023). Deviations: directions come from a
portable generator, the model's parameters are never perturbed in place, and the step has one arithmetic
(:mod:`fedmezo.zeroth_order.replay`), so that the update is exactly the scalars it returns.

The steps of a client are a generator, so that the losses of several clients can share forward passes. It yields a
request for the losses of a step, is sent them, and returns its update in the end::

    client 0  _steps:  yield request  ->  |  one call   |  ->  losses, yield request  ->  ...  ->  return LocalUpdate
    client 1  _steps:  yield request  ->  |  of scorer  |  ->  losses, yield request  ->  ...  ->  return LocalUpdate

``_in_step`` is the loop around them: it sends each generator what the scorer gave, until all have returned.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from torch import Tensor

from fedmezo.core.randomness import stream_key
from fedmezo.training import RETRIES, LocalUpdate, LocalWork, Resources, mean_loss, register, step_context
from fedmezo.zeroth_order.estimators import Estimator, Lane, Projection
from fedmezo.zeroth_order.replay import MovingPrefix, Prefix, Replay
from fedmezo.zeroth_order.scoring import Request, Scorer
from fedmezo.zeroth_order.steps import Round, StepRule, lanes_of
from fedmezo.zeroth_order.steps.plain import Plain


class StepRequest(NamedTuple):
    """What a client needs of the scorer for a step."""

    step: int
    request: Request


class Measured(NamedTuple):
    """What a client has learnt of a step: its queries (None where not finite), and the losses that they are from."""

    queries: list[Projection | None]
    losses: dict[Lane, float]
    examples: int
    failures: int


@register("mezotrainer")
@dataclass(frozen=True)
class MezoTrainer:
    """The step theta <- theta - eta (s z + wd theta), s made of the g that is estimated along z.

    Args:
        scorer: losses of parameter points.
        replay: the arithmetic of the run's updates.
        mu: perturbation scale.
        estimator: of projected gradients.
        step_rule: which scalars s follow from projected gradients.
        clip: bound on |g| * ||z||, or None.
        retry: whether a step whose loss is not finite tries the following batches.
        seed: of the run, for what rounds a point in half precision.
    """

    sends: ClassVar[Literal["scalars", "weights"]] = "scalars"

    scorer: Scorer
    replay: Replay
    mu: float
    estimator: Estimator
    step_rule: Callable[[Round], StepRule] = Plain
    clip: float | None = None
    retry: bool = False
    seed: int = 0

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the trainer of a run."""
        return cls(
            scorer=resources.scorer,
            replay=resources.replay,
            mu=resources.mu,
            estimator=resources.estimator,
            step_rule=resources.step_rule,
            clip=resources.clip,
            retry=resources.retry,
            seed=resources.seed,
        )

    def train(self, start: Tensor, work: LocalWork) -> LocalUpdate:
        """Take ``work.steps`` steps from ``start`` [d] and return their projected gradients."""
        return self.train_together(start, [work])[0]

    def train_together(self, start: Tensor, works: Sequence[LocalWork]) -> list[LocalUpdate]:
        """Do the work of several clients from the same start [d] in step, so that their losses can share forwards.

        Where there is one point only, which each of them moves, they work one after the other.
        """
        groups = [[work] for work in works] if self.scorer.in_place else [works]
        updates: list[LocalUpdate] = []
        for group in groups:
            with self.scorer.restoring(start):
                updates += self._in_step(start, group)
        return updates

    def _in_step(self, start: Tensor, works: Sequence[LocalWork]) -> list[LocalUpdate]:
        running = {number: self._steps(start, work) for number, work in enumerate(works)}
        updates: dict[int, LocalUpdate] = {}
        losses: dict[int, list[float] | None] = dict.fromkeys(running)
        while running:
            requests: dict[int, StepRequest] = {}
            for number, found in losses.items():
                try:
                    requests[number] = running[number].send(found)  # type: ignore[arg-type]
                except StopIteration as end:
                    updates[number] = end.value
                    del running[number]
            if requests:
                losses = dict(zip(requests, self._score(list(requests.values())), strict=True))
        return [updates[number] for number in range(len(works))]

    def _steps(self, start: Tensor, work: LocalWork) -> Generator[StepRequest, list[float], LocalUpdate]:
        """Take the steps of a client, yielding a request for the losses of each."""
        prefix, rule = self._prefix(start, work), self._rule(work)
        losses: list[float] = []
        failures: list[tuple[int, int]] = []
        sizes: list[int] = []
        nonfinite = 0
        for step, keys in enumerate(work.keys):
            found = yield from self._step(prefix.point, keys, work, step, rule.lanes(step))
            gradients = [query.gradient if query else 0.0 for query in found.queries]
            prefix.append(rule.scalars(step, gradients, found.losses))
            nonfinite += found.failures
            failures += [(step, number) for number, query in enumerate(found.queries) if query is None]
            finite = [query.loss for query in found.queries if query]
            if finite:
                sizes.append(found.examples)
                losses.append(math.fsum(finite) / len(finite))
            work.on_step(losses[-1] if finite else math.nan)
        mean = mean_loss(losses, sizes)
        return LocalUpdate(mean, sum(sizes), nonfinite, gradients=prefix.gradients, failed=tuple(failures))

    def _rule(self, work: LocalWork) -> StepRule:
        queries = len(work.keys[0]) if work.keys else 1
        share = self.replay.blocks / queries
        return self.step_rule(Round(work.keys, self.mu, work.learning_rate, share, self.replay.directions.blocks))

    def _prefix(self, start: Tensor, work: LocalWork) -> Prefix | MovingPrefix:
        if not self.scorer.in_place:
            return Prefix(self.replay, start, work.keys, work.learning_rate)

        def rounding(step: int) -> int:
            return stream_key(self.seed, "rounding", round_index=work.round_index, client=work.client, step=step)

        return MovingPrefix(self.replay, start, work.keys, work.learning_rate, rounding)

    def _step(
        self, point: Tensor, keys: list[int], work: LocalWork, step: int, more: Sequence[Lane]
    ) -> Generator[StepRequest, list[float], Measured]:
        """Return what is learnt from the lanes of the gradient estimator and ``more`` of them, on one batch."""
        failures = 0
        own = self.estimator.lanes(keys, self.mu)
        lanes = lanes_of(own, more)
        for attempt in range(RETRIES if self.retry else 1):
            batch = work.batch(step + attempt)
            losses = yield StepRequest(step, Request(point, lanes, batch))
            found = zip(self.estimator.projections(losses[: len(own)], self.mu), keys, strict=True)
            queries = [self._bounded(query, key, point) for query, key in found]
            failures += sum(query is None for query in queries)
            if all(queries):
                break
        return Measured(queries, dict(zip(lanes, losses, strict=True)), len(batch.labels), failures)

    def _score(self, requests: Sequence[StepRequest]) -> list[list[float]]:
        with ExitStack() as stack:
            for step, request in requests:
                stack.enter_context(step_context(step, request.batch))
            return self.scorer.losses_together([request for _, request in requests])

    def _bounded(self, query: Projection, key: int, point: Tensor) -> Projection | None:
        if not (isfinite(query.gradient) and isfinite(query.loss)):
            return None
        if self.clip is None:
            return query
        z = self.replay.directions.values(key, 0, point.numel(), point.device)
        return _clipped(query, self.clip / _norm(z))


def _clipped(query: Projection, bound: float) -> Projection:
    return Projection(max(-bound, min(bound, query.gradient)), query.loss)


def _norm(z: Tensor) -> float:
    # numpy sums on one thread, so that the bits do not depend on the number of threads
    return float(np.sqrt(np.square(z.cpu().numpy().astype(np.float64)).sum()))
