"""Replay: the canonical arithmetic that turns (key, scalar) pairs into a parameter point.

One arithmetic for a client's own steps, for the server and for anybody who rebuilds a run::

    acc   = 0;  for each term in order:  acc = fl32(acc + fl32(c * z))
    theta = fl32(fl32(f * start) + acc)

in ascending (client, step, query), for each parameter those of its block. The coefficients c are computed in fp64 and
rounded to fp32 once: minus the learning rate times the mean over the queries of a step, times the number of blocks that
queries are in, so that a step goes along the estimated gradient of all of these blocks. Weight decay
enters as a factor 1 - rate * weight_decay per later step; parameters that do not decay have the factor 1. A point in
fp64 is rebuilt in fp64 throughout: what the arithmetic is compared with. A point in bf16, where a model is its own
master in half precision, has its sums in fp32 all the same, and theta is rounded to bf16 stochastically, once a replay
(:mod:`fedmezo.core.directions`).

The one exception is a client that trains all parameters of a model in place (:class:`MovingPrefix`).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.directions import rounded
from fedmezo.core.directions.blocks import ONE_BLOCK, BlockOrder, in_block
from fedmezo.core.directions.scaled import Directions
from fedmezo.core.randomness import ABSENT, stream_key

PROBE, PROBED = 1 << 18, 8  # elements and directions that show how fast a replay is

Runs = Sequence[tuple[int, int, bool]]  # (start, stop, decays) of the flat index, covering it in order


@dataclass(frozen=True)
class DirectionKeys:
    """Stream keys of the directions.

    Args:
        seed: ``zo.seed``, or the run's seed.
        queries: Q directions a step.
        shared: True leaves the client out of the key, so that all clients use the same directions.
        blocks: says which block a direction is in.
    """

    seed: int
    queries: int = 1
    shared: bool = False
    blocks: BlockOrder = ONE_BLOCK

    def __call__(self, round_index: int, client: int, steps: int) -> list[list[int]]:
        """Return the keys of a client's round, [H, Q]."""
        who = ABSENT if self.shared else client
        return [
            [
                self._in_its_block(
                    stream_key(self.seed, "direction", round_index=round_index, client=who, step=step, query=query),
                    (round_index * steps + step) * self.queries + query + (0 if self.shared else client),
                )
                for query in range(self.queries)
            ]
            for step in range(steps)
        ]

    def _in_its_block(self, key: int, turn: int) -> int:
        return in_block(key, self.blocks.block(key, turn), self.blocks.count)


@dataclass(frozen=True)
class Steps:
    """The steps of one client in one round.

    Args:
        keys: stream keys of the directions, [H, Q].
        gradients: projected gradients g, fp32 [H, Q].
        learning_rate: of this client in this round.
        weight: its share in the average; 1 for the client's own point.
    """

    keys: Sequence[Sequence[int]]
    gradients: np.ndarray
    learning_rate: float
    weight: float = 1.0


@dataclass(frozen=True)
class Term:
    """One summand c * z(key), with the coefficient for decaying parameters and for the others, in fp64."""

    key: int
    decaying: float
    plain: float


def terms(steps: Steps, weight_decay: float, blocks: int = 1) -> Iterable[Term]:
    """Yield the summands of a client's steps in ascending (step, query), of directions in so many blocks."""
    horizon, queries = steps.gradients.shape
    keep = 1.0 - steps.learning_rate * weight_decay
    for step in range(horizon):
        for query in range(queries):
            gradient = float(steps.gradients[step, query])
            plain = -(steps.weight * steps.learning_rate * gradient) * blocks / queries
            decaying = plain * keep ** (horizon - 1 - step)
            yield Term(steps.keys[step][query], decaying, plain)


class Replay:
    """Rebuilds parameter points.

    Args:
        runs: which parts of the flat index decay.
        weight_decay: of the run.
        directions: of the run.
        blocks: how many its queries are in.
    """

    def __init__(self, runs: Runs, weight_decay: float, directions: Directions, blocks: int = 1) -> None:
        self.runs = tuple(runs)
        self.weight_decay = weight_decay
        self.directions = directions
        self.blocks = blocks

    @cached_property
    def seconds_per_value(self) -> float:
        """Seconds that one value of one direction takes in a replay, measured on a few."""
        total, keys = torch.zeros(PROBE), list(range(PROBED))
        for _ in range(2):  # the first compiles, or loads what was compiled
            started = time.perf_counter()
            self.directions.add(total, keys, [1.0] * PROBED)
        return (time.perf_counter() - started) / (PROBE * PROBED)

    def __call__(
        self, start: Tensor, sequences: Sequence[Steps], out: Tensor | None = None, rounding: int | None = None
    ) -> Tensor:
        """Return the point [d] that the steps of one or several clients lead to from ``start`` [d].

        Args:
            start: what the clients started from.
            sequences: their steps, in client order.
            out: written to instead of a new vector; may be ``start``.
            rounding: stream key by which a point in bf16 is rounded; None rounds it to nearest.
        """
        found = [term for steps in sequences for term in terms(steps, self.weight_decay, self.blocks)]
        point = torch.empty_like(start) if out is None else out
        factor = rounded(self._factor(sequences), start.dtype)
        for begin, end, decays in self._parts():
            self.directions.add(
                point[begin:end],
                [term.key for term in found],
                [rounded(term.decaying if decays else term.plain, start.dtype) for term in found],
                begin,
                source=start[begin:end],
                factor=factor if decays else 1.0,
                rounding=rounding,
            )
        return point

    def add(self, total: Tensor, summands: Sequence[Term]) -> None:
        """Add summands to ``total`` [d] in place, in their order; the vector is read and written once."""
        for start, stop, decays in self._parts():
            coefficients = [rounded(term.decaying if decays else term.plain, total.dtype) for term in summands]
            self.directions.add(total[start:stop], [term.key for term in summands], coefficients, start)

    def decay(self, point: Tensor, rate: float) -> None:
        """Have the decaying parameters of a point [d] decay by one step, in place."""
        keep = rounded(1.0 - rate * self.weight_decay, point.dtype)
        for start, stop, decays in self.runs if keep != 1.0 else ():
            if decays:
                point[start:stop].mul_(keep)

    def _factor(self, sequences: Sequence[Steps]) -> float:
        """Return the weighted decay of the starting point."""
        if self.weight_decay == 0.0:
            return 1.0
        factor = 0.0
        for steps in sequences:  # not sum(), whose last bit depends on the version of Python
            factor += steps.weight * (1.0 - steps.learning_rate * self.weight_decay) ** len(steps.gradients)
        return factor

    def _parts(self) -> Runs:
        """Return the runs; where nothing decays, all as one."""
        if self.weight_decay == 0.0:
            return ((0, self.runs[-1][1], False),)
        return self.runs


class Prefix:
    """A client's own point after each of its steps, bit for bit the replay of those steps.

    Without weight decay earlier coefficients stay as they are, so a step adds its own summands only. With it every
    later step changes them, and the prefix is replayed. ``point`` is overwritten by the next step.
    """

    def __init__(self, replay: Replay, start: Tensor, keys: Sequence[Sequence[int]], learning_rate: float) -> None:
        self._replay = replay
        self._start = start
        self._keys = keys
        self._rate = learning_rate
        self._total = torch.zeros_like(start)
        self.gradients = np.empty((0, len(keys[0]) if keys else 1), dtype=np.float32)
        self.point = start

    def append(self, gradients: Sequence[float]) -> None:
        """Take one more step with projected gradients [Q]; each is rounded to fp32 once, here."""
        self.gradients = np.vstack([self.gradients, np.asarray(gradients, dtype=np.float32)])
        steps = Steps(self._keys[: len(self.gradients)], self.gradients, self._rate)
        if self._replay.weight_decay != 0.0:
            self.point = self._replay(self._start, [steps])
            return
        self._replay.add(self._total, list(terms(_last(steps), 0.0, self._replay.blocks)))
        if self.point is self._start:
            self.point = torch.empty_like(self._start)
        torch.add(self._start, self._total, out=self.point)


class MovingPrefix:
    """A client's own point after each of its steps where there is memory for one vector only: ``point`` itself moves.

    Its arithmetic is that of the textbook: theta = fl32(fl32(keep * theta) + fl32(c * z)), a step after the other. In
    bf16 each step is the replay of itself, rounded once. The server's is that of :class:`Replay` all the same: what
    clients send are scalars.

    Args:
        replay: the arithmetic of the run's updates.
        point: [d], fp32 or bf16.
        keys: stream keys of the directions, [H, Q].
        learning_rate: of the client.
        rounding: gives the stream key by which a step's point is rounded to bf16.
    """

    def __init__(
        self,
        replay: Replay,
        point: Tensor,
        keys: Sequence[Sequence[int]],
        learning_rate: float,
        rounding: Callable[[int], int],
    ) -> None:
        self._replay = replay
        self._keys = keys
        self._rate = learning_rate
        self._rounding = rounding
        self.gradients = np.empty((0, len(keys[0]) if keys else 1), dtype=np.float32)
        self.point = point

    def append(self, gradients: Sequence[float]) -> None:
        """Take one more step with projected gradients [Q]; each is rounded to fp32 once, here."""
        self.gradients = np.vstack([self.gradients, np.asarray(gradients, dtype=np.float32)])
        last = _last(Steps(self._keys[: len(self.gradients)], self.gradients, self._rate))
        if self.point.dtype == torch.bfloat16:
            self._replay(self.point, [last], self.point, self._rounding(len(self.gradients) - 1))
            return
        self._replay.decay(self.point, self._rate)
        self._replay.add(self.point, list(terms(last, 0.0, self._replay.blocks)))


def _last(steps: Steps) -> Steps:
    """Return the last of some steps."""
    end = len(steps.gradients)
    return Steps(steps.keys[end - 1 : end], steps.gradients[end - 1 :], steps.learning_rate)
