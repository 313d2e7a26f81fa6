"""``curvature``: no step goes further than the curvature along its directions allows."""

from collections.abc import Mapping, Sequence

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, register
from fedmezo.zeroth_order.steps.second_differences import CAUTION, Curvature


@register("curvature")
class Bounded:
    """g_q min(1, c / (rate share h)): along each direction a client goes by at most c g / h, c being CAUTION.

    h is the root mean square of z'Hz over the round so far (:class:`.second_differences.Curvature`). On a parabola the
    loss rises where rate share > 2 / h, and is lowest at 1 / h.
    Source: a trust region (Conn, Gould and Toint, 2000) of one dimension.
    """

    def __init__(self, work: Round) -> None:
        self._curvature = Curvature(work)
        self._work = work

    def lanes(self, step: int) -> list[Lane]:
        """Return where the curvature is measured."""
        return self._curvature.lanes(step)

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return g times a factor of at most 1 [Q]."""
        self._curvature.observe(step, losses)
        step_size = self._work.rate * self._work.share
        sizes = [step_size * self._curvature.size(key) for key in self._work.keys[step]]
        return [gradient / max(1.0, size / CAUTION) for gradient, size in zip(gradients, sizes, strict=True)]
