"""Gradient estimators: the projected gradients of a loss along directions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from fedmezo.zeroth_order.directions import Distribution, accumulate

Estimator = Literal["central", "one-sided"]


@dataclass(frozen=True)
class Projection:
    """What one query learns: the projected gradient, and the loss that is reported."""

    gradient: float
    loss: float


class Losses(Protocol):
    """The losses of several parameter points [L, d]; see :meth:`fedmezo.models.scoring.Scorer.losses`."""

    def __call__(self, points: Tensor, *, antithetic: bool) -> list[float]:
        """Return a loss a point."""
        ...


def central_difference(
    losses: Losses, point: Tensor, keys: Sequence[int], mu: float, distribution: Distribution = "gaussian"
) -> list[Projection]:
    """Return g = (L(theta + mu z) - L(theta - mu z)) / (2 mu) along each direction, and L(theta + mu z).

    Source: MeZO (Malladi et al., NeurIPS 2023), algorithm 1; SPSA (Spall, 1992).

    Args:
        losses: of points [2Q, d], the plus signs first.
        point: theta, fp32 [d].
        keys: of the directions, [Q].
        mu: perturbation scale.
        distribution: of the directions.
    """
    points = point.repeat(2 * len(keys), 1)
    for row, key in enumerate(keys):
        accumulate(points[row], [key], [mu], distribution)
        accumulate(points[len(keys) + row], [key], [-mu], distribution)
    found = losses(points, antithetic=True)
    pairs = zip(found[: len(keys)], found[len(keys) :], strict=True)
    return [Projection((above - below) / (2.0 * mu), above) for above, below in pairs]


def one_sided(
    losses: Losses, point: Tensor, keys: Sequence[int], mu: float, distribution: Distribution = "gaussian"
) -> list[Projection]:
    """Return g = (L(theta + mu z) - L(theta)) / mu along each direction, all from one L(theta), which is reported.

    Half the forwards of :func:`central_difference` for many directions, at a bias of order mu instead of mu squared.
    Source: FZOO and earlier; Duchi et al., "Optimal rates for zero-order convex optimization" (2015).
    """
    points = point.repeat(1 + len(keys), 1)
    for row, key in enumerate(keys, start=1):
        accumulate(points[row], [key], [mu], distribution)
    base, *found = losses(points, antithetic=False)
    return [Projection((above - base) / mu, base) for above in found]


ESTIMATORS: dict[Estimator, Callable[..., list[Projection]]] = {"central": central_difference, "one-sided": one_sided}
