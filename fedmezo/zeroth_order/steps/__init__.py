"""Kinds of step: from the projected gradients of a step to the scalars that are recorded. One file a kind.

Along each of its Q directions a client goes by ``-rate * share * scalar``, share = 1 / Q. These scalars are what it
records and sends, so that who replays a run need not know how they were chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fedmezo.core.registry import Registry
from fedmezo.zeroth_order.estimators import Lane


@dataclass(frozen=True)
class Round:
    """What a client's steps have in common in one round.

    Args:
        keys: stream keys of the directions, [H, Q].
        mu: perturbation scale.
        rate: eta of this client.
        share: of a direction in a step.
        blocks: of the parameters; which one a direction is inside of, its key says.
    """

    keys: Sequence[Sequence[int]]
    mu: float
    rate: float
    share: float
    blocks: int = 1


class StepRule(Protocol):
    """The contract of a kind of step; what it remembers is of one client's round."""

    def __init__(self, work: Round) -> None: ...

    def lanes(self, step: int) -> list[Lane]:
        """Return where losses are wanted in a step, whether or not the gradient estimator wants them too."""
        ...

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return what is recorded of a step [Q].

        Args:
            step: its number in the round, ascending.
            gradients: projected gradients g [Q], 0 where a loss was not finite.
            losses: of the lanes that the estimator and :meth:`lanes` want, finite or not.
        """
        ...


def lanes_of(own: Sequence[Lane], more: Sequence[Lane]) -> list[Lane]:
    """Return the lanes of a step: a gradient estimator's own, then those that only its kind of step wants."""
    return [*own, *(lane for lane in more if lane not in own)]


registry: Registry[type[StepRule]] = Registry("kind of step", __name__, needs=("lanes", "scalars"))
register = registry.register
