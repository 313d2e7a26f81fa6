"""A gradient estimate by itself, where losses are there for the asking."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from fedmezo.zeroth_order.estimators import Estimator, Lane, Projection


class Losses(Protocol):
    """The losses at several lanes around a point [d]; see :meth:`fedmezo.zeroth_order.scoring.Scorer.losses`."""

    def __call__(self, point: Tensor, lanes: Sequence[Lane]) -> list[float]:
        """Return a loss a lane."""
        ...


def estimate(estimator: Estimator, losses: Losses, point: Tensor, keys: Sequence[int], mu: float) -> list[Projection]:
    """Return what each direction [Q] learns about a loss at a point [d].

    Args:
        estimator: of projected gradients.
        losses: of lanes.
        point: theta, fp32 [d].
        keys: of the directions.
        mu: perturbation scale.
    """
    return estimator.projections(losses(point, estimator.lanes(keys, mu)), mu)
