"""Gradient estimators: the projected gradients of a loss along directions. One file an estimator.

An estimator says at which points it wants losses, and what follows from them; who computes the losses, together with
what else, is not its concern.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fedmezo.core.registry import Registry


class Lane(NamedTuple):
    """The parameter point theta + scale * z(key)."""

    key: int
    scale: float


@dataclass(frozen=True)
class Projection:
    """What one direction has learnt: the projected gradient, and the loss that is reported."""

    gradient: float
    loss: float


class Estimator(Protocol):
    """The contract of an estimator; its constructor takes no arguments.

    A projected gradient is exact, up to rounding, where the loss is linear along the direction.
    """

    def lanes(self, keys: Sequence[int], mu: float) -> list[Lane]:
        """Return where losses are wanted, for directions [Q] and a perturbation scale; scale 0 is theta itself.

        Lanes of opposite scales of one direction share a forward pass, and in half precision their rounding.
        """
        ...

    def projections(self, losses: Sequence[float], mu: float) -> list[Projection]:
        """Return what each direction [Q] has learnt from the losses of the lanes, in their order."""
        ...


def mirrored(lanes: Sequence[Lane]) -> list[tuple[int, int]]:
    """Return the positions of lanes that mirror each other, theta + s z and theta - s z, each in one pair at most."""
    pairs: list[tuple[int, int]] = []
    single: dict[Lane, list[int]] = {}
    for position, lane in enumerate(lanes):
        if partners := single.get(Lane(lane.key, -lane.scale)) if lane.scale else None:
            pairs.append((partners.pop(0), position))
        else:
            single.setdefault(lane, []).append(position)
    return pairs


def is_symmetric(estimator: Estimator) -> bool:
    """Return whether all of an estimator's lanes mirror each other."""
    lanes = estimator.lanes((1,), 1.0)
    return 2 * len(mirrored(lanes)) == len(lanes)


registry: Registry[type[Estimator]] = Registry("gradient estimator", __name__, needs=("lanes", "projections"))
register = registry.register
