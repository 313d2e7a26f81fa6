"""Gradient estimators: the projected gradients of a loss along directions.

An estimator says at which points it wants losses, and what follows from them; who computes the losses, together with
what else, is not its concern.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor

EstimatorName = Literal["central", "one-sided"]


class Lane(NamedTuple):
    """The parameter point theta + scale * z(key)."""

    key: int
    scale: float


@dataclass(frozen=True)
class Projection:
    """What one query learns: the projected gradient, and the loss that is reported."""

    gradient: float
    loss: float


class Estimator(Protocol):
    """A way to estimate gradients along directions."""

    def lanes(self, keys: Sequence[int], mu: float) -> list[Lane]:
        """Return where losses are wanted, for directions [Q] and a perturbation scale."""
        ...

    def projections(self, losses: Sequence[float], mu: float) -> list[Projection]:
        """Return what each direction [Q] has learnt from the losses of the lanes."""
        ...


class CentralDifference:
    """g = (L(theta + mu z) - L(theta - mu z)) / (2 mu) along each direction; L(theta + mu z) is reported.

    Source: MeZO (Malladi et al., NeurIPS 2023), algorithm 1; SPSA (Spall, 1992).
    """

    def lanes(self, keys: Sequence[int], mu: float) -> list[Lane]:
        """Return the plus signs, then the minus signs [2Q]."""
        return [Lane(key, sign) for sign in (mu, -mu) for key in keys]

    def projections(self, losses: Sequence[float], mu: float) -> list[Projection]:
        """Return what each pair has learnt [Q]."""
        half = len(losses) // 2
        signs = zip(losses[:half], losses[half:], strict=True)
        return [Projection((above - below) / (2.0 * mu), above) for above, below in signs]


class OneSided:
    """g = (L(theta + mu z) - L(theta)) / mu along each direction, all from one L(theta), which is reported.

    Half the forwards of :class:`CentralDifference` for many directions, at a bias of order mu instead of mu squared.
    Source: FZOO and earlier; Duchi et al., "Optimal rates for zero-order convex optimization" (2015).
    """

    def lanes(self, keys: Sequence[int], mu: float) -> list[Lane]:
        """Return the point itself, then the plus signs [1 + Q]."""
        return [Lane(0, 0.0), *(Lane(key, mu) for key in keys)]

    def projections(self, losses: Sequence[float], mu: float) -> list[Projection]:
        """Return what each direction has learnt [Q]."""
        base, *found = losses
        return [Projection((above - base) / mu, base) for above in found]


class Losses(Protocol):
    """The losses at several lanes around a point [d]; see :meth:`fedmezo.zeroth_order.scoring.Scorer.losses`."""

    def __call__(self, point: Tensor, lanes: Sequence[Lane]) -> list[float]:
        """Return a loss a lane."""
        ...


def estimate(estimator: Estimator, losses: Losses, point: Tensor, keys: Sequence[int], mu: float) -> list[Projection]:
    """Return what each direction [Q] learns about a loss at a point [d].

    Args:
        estimator: one of :data:`ESTIMATORS`.
        losses: of lanes.
        point: theta, fp32 [d].
        keys: of the directions.
        mu: perturbation scale.
    """
    return estimator.projections(losses(point, estimator.lanes(keys, mu)), mu)


def pairs(lanes: Sequence[Lane]) -> int:
    """Return Q if the lanes are theta + mu z of Q directions, then theta - mu z of the same; else 0."""
    half = len(lanes) // 2
    mirrored = [Lane(lane.key, -lane.scale) for lane in lanes[:half]]
    return half if list(lanes[half:]) == mirrored else 0


ESTIMATORS: dict[EstimatorName, Estimator] = {"central": CentralDifference(), "one-sided": OneSided()}
