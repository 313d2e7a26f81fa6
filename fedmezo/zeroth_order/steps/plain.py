"""``none``: the textbook's steps."""

from collections.abc import Mapping, Sequence

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, register


@register("none")
class Plain:
    """The projected gradients as they are, from the gradient estimator's losses alone.

    Source: MeZO (Malladi et al., NeurIPS 2023), algorithm 1.
    """

    def __init__(self, work: Round) -> None:
        self.work = work

    def lanes(self, step: int) -> list[Lane]:
        """Return no lanes."""
        return []

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return g [Q]."""
        return list(gradients)
