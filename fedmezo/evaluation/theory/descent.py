"""The rate at which a round is expected to lower the loss most, in the local quadratic model.

A round moves by -eta times the sum of H estimates of each of N clients, over N. In expectation over Gaussian directions
and batches, with g = grad f, G = E ||grad f_b||^2 and Q queries,

    E f(after) - f = -eta H ||g||^2 + eta^2 / 2 [ H^2 g.Hess g + (H / N Q) (tr(Hess) G + g.Hess g) ]

up to third order: a parabola. Its lowest point is the best rate, at twice which nothing is gained any more. Noise of
the batches is counted where the trace multiplies it, which is where nearly all of it is. It says what the next round
does; as gradients become smaller and their noise does not, the best rate falls.
"""

from dataclasses import dataclass
from math import inf


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

    def __call__(self, rate: float) -> float:
        """Return the expected change of the loss."""
        return -self.slope * rate + self.curvature / 2.0 * rate**2


def descent(
    *,
    squared_norm: float,
    batch_squared_norm: float,
    along: float,
    trace: float,
    steps: int,
    clients: int,
    queries: int = 1,
) -> Descent:
    """Return the parabola of a round.

    Args:
        squared_norm: ||grad f||^2.
        batch_squared_norm: E ||grad f_b||^2.
        along: grad f . Hess grad f.
        trace: tr(Hess).
        steps: H.
        clients: N that take part in a round.
        queries: Q.
    """
    noise = (trace * batch_squared_norm + along) / (clients * queries)
    return Descent(steps * squared_norm, steps**2 * along + steps * noise)
