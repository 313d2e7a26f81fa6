"""Blocks beside whole directions: what a step of each gains at its best rate, as predicted and as measured.

The local quadratic model of one client's step (:mod:`fedmezo.evaluation.theory.descent`, with N = H = 1) predicts both.
A step in blocks is compared with one of as many whole directions as it has forwards for, and gains are divided by
forwards. One direction of a block, by itself and with all noise left out, gains ||g_b||^2 / (2 tr(Hess_bb)).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fedmezo.core.directions.blocks import ONE_BLOCK, BlockOrder
from fedmezo.data.batches import Batch
from fedmezo.evaluation.theory.descent import Descent, Terms, descent
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.forwards import Forwards
from fedmezo.evaluation.theory.measured import Measured, crossed_mean, ratio
from fedmezo.evaluation.theory.moves import gains
from fedmezo.evaluation.theory.sample import Sample
from fedmezo.zeroth_order.replay import DirectionKeys
from fedmezo.zeroth_order.scoring import Scorer

Model = Callable[[Terms], Descent]

MOVES = -4  # the "client" of the directions of steps that are tried


@dataclass(frozen=True)
class BlockFindings:
    """What is found of a block, or of all parameters.

    Args:
        first: the layer that it begins at.
        parameters: how many it has.
        used: whether directions are in it.
        squared_norm: ||g_b||^2.
        batch_squared_norm: E ||grad_b f_batch||^2.
        trace: tr(Hess_bb).
        gain: of a direction at its best rate, by the loss: ||g_b||^2 / (2 tr(Hess_bb)).
        forwards: that a direction costs.
        per_forward: the gain, over these.
    """

    first: int
    parameters: int
    used: bool
    squared_norm: Measured
    batch_squared_norm: Measured
    trace: Measured
    gain: Measured
    forwards: float
    per_forward: Measured


@dataclass(frozen=True)
class Step:
    """A step at its best rate.

    Args:
        directions: how many.
        forwards: that it costs.
        rate: the best one of the local quadratic model; infinite or 0 where there is none.
        predicted: by how much it lowers the loss.
        measured: likewise, over steps and held-out batches; None where there is no best rate.
    """

    directions: int
    forwards: float
    rate: float
    predicted: Measured
    measured: Measured | None

    @property
    def predicted_per_forward(self) -> Measured:
        """The predicted gain over the forwards."""
        return _over(self.predicted, self.forwards)

    @property
    def measured_per_forward(self) -> Measured | None:
        """The measured gain over the forwards."""
        return None if self.measured is None else _over(self.measured, self.forwards)


@dataclass(frozen=True)
class Compared:
    """Blocks beside whole directions, at one point.

    Args:
        blocks: each of them [B].
        everything: all parameters as one.
        whole: a step along whole directions.
        divided: a step along directions in blocks.
        predicted: the gain in blocks over that of whole directions, at equal forwards.
        measured: likewise; None where one of them was not measured.
    """

    blocks: tuple[BlockFindings, ...]
    everything: BlockFindings
    whole: Step
    divided: Step
    predicted: Measured
    measured: Measured | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What blocks are compared with whole directions by.

    Args:
        whole: scorer of the run, of whole directions.
        divided: likewise, of directions in blocks.
        division: into blocks.
        forwards: of the run's estimator.
        queries: of a step in blocks.
        mu: of the run.
        held_out: batches that measured gains are of.
        moves: how many steps of each kind are taken.
        seed: of the run.
    """

    whole: Scorer
    divided: Scorer
    division: Division
    forwards: Forwards
    queries: int
    mu: float
    held_out: Sequence[Batch]
    moves: int
    seed: int

    def at(
        self, rounds_done: int, sample: Sample, exact: Scorer, batches: Sequence[Batch], on_batch: Callable[[], object]
    ) -> Compared:
        """Compare at the point that all scorers stand at.

        Args:
            rounds_done: of the point.
            sample: of gradients and curvature.
            exact: the model in fp32.
            batches: of the steps that are taken.
            on_batch: told of each of these.
        """
        alike, order = self.forwards.alike(self.queries), self.division.order

        def step(scorer: Scorer, order: BlockOrder, queries: int, cost: float, model: Model) -> Step:
            rate, predicted = model(sample.terms).best, sample.measured(lambda terms: model(terms).gain)
            measured = None
            if 0.0 < rate < math.inf:
                keys = DirectionKeys(self.seed, queries, blocks=order)(rounds_done, MOVES, self.moves)
                measured = self._measured(scorer, exact, batches, keys, rate, len(order.used), on_batch)
            return Step(queries, cost, rate, predicted, measured)

        whole = step(self.whole, ONE_BLOCK, alike, self.forwards.whole(alike), self._whole)
        divided = step(self.divided, order, self.queries, self.forwards.blocks(self.queries), self._divided)
        dearer = divided.forwards / whole.forwards
        measured = None
        if divided.measured is not None and whole.measured is not None:
            measured = _over(ratio(divided.measured, whole.measured), dearer)
        predicted = sample.measured(lambda terms: _quotient(self._divided(terms).gain, self._whole(terms).gain))
        return Compared(
            tuple(self._block(sample, block) for block in range(self.division.count)),
            self._everything(sample),
            whole,
            divided,
            _over(predicted, dearer),
            measured,
        )

    def _measured(
        self,
        scorer: Scorer,
        exact: Scorer,
        batches: Sequence[Batch],
        keys: Sequence[Sequence[int]],
        rate: float,
        blocks: int,
        on_batch: Callable[[], object],
    ) -> Measured:
        estimator = self.forwards.estimator
        found = gains(
            scorer, exact, batches, self.held_out, keys,
            estimator=estimator, mu=self.mu, rate=rate, blocks=blocks, on_batch=on_batch,
        )  # fmt: skip
        return crossed_mean(found) if np.isfinite(found).all() else Measured(math.nan, math.nan, found.size)

    def _whole(self, terms: Terms) -> Descent:
        return descent(terms.together(), queries=self.forwards.alike(self.queries))

    def _divided(self, terms: Terms) -> Descent:
        order = self.division.order
        return descent(terms.only(order.used), queries=self.queries, drawn=order.drawn)

    def _block(self, sample: Sample, block: int) -> BlockFindings:
        used = block in self.division.order.used
        cost = self.forwards.direction(block, self.queries)
        first, size = self.division.starts[block], self.division.sizes[block]
        return _findings(sample, lambda terms: terms.only([block]), first, size, used, cost)

    def _everything(self, sample: Sample) -> BlockFindings:
        alike = self.forwards.alike(self.queries)
        cost = self.forwards.whole(alike) / alike
        return _findings(sample, Terms.together, min(self.division.starts), sum(self.division.sizes), True, cost)


def _findings(
    sample: Sample, part: Callable[[Terms], Terms], first: int, parameters: int, used: bool, forwards: float
) -> BlockFindings:
    """Return what is found of a part of the terms that is one block."""

    def of(statistic: Callable[[Terms], float]) -> Measured:
        return sample.measured(lambda terms: statistic(part(terms)))

    gain = of(lambda terms: _quotient(terms.squared_norms[0], 2.0 * terms.traces[0]))
    return BlockFindings(
        first,
        parameters,
        used,
        of(lambda terms: float(terms.squared_norms[0])),
        of(lambda terms: float(terms.batch_squared_norms[0])),
        of(lambda terms: float(terms.traces[0])),
        gain,
        forwards,
        _over(gain, forwards),
    )


def _quotient(above: float, below: float) -> float:
    """Return a quotient of a gain; NaN where what it is divided by is not positive: a step then has no best rate."""
    return float(above / below) if below > 0.0 else math.nan


def _over(gain: Measured, forwards: float) -> Measured:
    return Measured(gain.value / forwards, gain.error / forwards, gain.samples)
