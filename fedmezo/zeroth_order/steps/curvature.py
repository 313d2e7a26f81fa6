"""``curvature``: no step goes further than the curvature along its directions allows."""

from collections.abc import Mapping, Sequence

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, register
from fedmezo.zeroth_order.steps.second_differences import CAUTION, Curvature


@register("curvature")
class Bounded:
    """g_q min(1, c n / (rate share |g_q|)): along each direction a client goes by at most c n, c being CAUTION.

    n is newton's step, |g| / h or less (:meth:`.second_differences.Curvature.newton`). On a parabola the loss rises
    where rate share > 2 / h, and is lowest at 1 / h.
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
        most = self._curvature.newton(step, gradients, losses)
        step_size = self._work.rate * self._work.share
        return [
            gradient if step_size * abs(gradient) <= CAUTION * abs(each) else CAUTION * each / step_size
            for gradient, each in zip(gradients, most, strict=True)
        ]
