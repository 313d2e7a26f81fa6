"""The rate at which a round is expected to lower the loss most, in the local quadratic model.

A round moves by -eta times the sum of H estimates of each of N clients, over N. An estimate has Q directions, which
take turns over K blocks of the parameters, and is K / Q times the sum of g_q z_q. In expectation over Gaussian
directions and batches, with g = grad f, G_b = E ||grad_b f_batch||^2 in block b, and g without index what is in the
blocks that are used,

    E f(after) - f = -eta H ||g||^2 + eta^2 / 2 [ H^2 g.Hess g + (H K / N Q) sum_b (tr(Hess_bb) G_b + g_b.Hess_bb g_b) ]

up to third order: a parabola. Its lowest point is the best rate, at twice which nothing is gained any more. K = 1 is
whole directions. It takes the blocks' turns to be even over the round; where Q is a multiple of K they are. Where
blocks are drawn, how often each is drawn varies too, which adds (H / N Q) (K sum_b g_b.Hess_bb g_b - g.Hess g) to the
bracket. Noise of the batches is counted where the trace multiplies it, which is where nearly all of it is. It says what
the next round does; as gradients become smaller and their noise does not, the best rate falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Descent:
    """Expected change of the loss by a round: -slope * eta + curvature / 2 * eta^2."""

    slope: float
    curvature: float

    @property
    def best(self) -> float:
        """The rate of the lowest expected loss; infinite where the model has no lowest point, 0 where nothing falls."""
        if self.slope <= 0.0:
            return 0.0
        return self.slope / self.curvature if self.curvature > 0.0 else inf

    @property
    def edge(self) -> float:
        """The rate beyond which the loss is expected to rise."""
        return 2.0 * self.best

    @property
    def gain(self) -> float:
        """By how much the loss is expected to fall at the best rate; NaN where that is infinite."""
        return -self(self.best) if isfinite(self.best) else nan

    def __call__(self, rate: float) -> float:
        """Return the expected change of the loss."""
        return -self.slope * rate + self.curvature / 2.0 * rate**2


@dataclass(frozen=True, eq=False)
class Terms:
    """What the model is made of, by blocks.

    Args:
        squared_norms: ||g_b||^2 [B].
        batch_squared_norms: E ||grad_b f_batch||^2 [B].
        traces: tr(Hess_bb) [B].
        along: g_b . Hess_bc g_c [B, B].
    """

    squared_norms: NDArray[np.float64]
    batch_squared_norms: NDArray[np.float64]
    traces: NDArray[np.float64]
    along: NDArray[np.float64]

    def only(self, blocks: Sequence[int]) -> "Terms":
        """Return those of some blocks."""
        kept = list(blocks)
        norms, batch_norms, traces = (
            each[kept] for each in (self.squared_norms, self.batch_squared_norms, self.traces)
        )
        return Terms(norms, batch_norms, traces, self.along[np.ix_(kept, kept)])

    def together(self) -> "Terms":
        """Return those of all blocks as one."""
        norms, batch_norms, traces = (
            each.sum(keepdims=True) for each in (self.squared_norms, self.batch_squared_norms, self.traces)
        )
        return Terms(norms, batch_norms, traces, self.along.sum(keepdims=True))


def descent(terms: Terms, *, steps: int = 1, clients: int = 1, queries: int = 1, drawn: bool = False) -> Descent:
    """Return the parabola of a round.

    Args:
        terms: of the K blocks that directions are in.
        steps: H.
        clients: N that take part in a round.
        queries: Q.
        drawn: whether the block of a direction is drawn; else blocks take turns.
    """
    blocks, own, along = len(terms.traces), float(terms.along.trace()), float(terms.along.sum())
    noise = blocks * (float(terms.traces @ terms.batch_squared_norms) + own)
    if drawn:
        noise += blocks * own - along
    return Descent(steps * float(terms.squared_norms.sum()), steps**2 * along + steps * noise / (clients * queries))
