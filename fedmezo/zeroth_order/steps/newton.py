"""``newton``: projected gradients over the curvature along directions."""

from collections.abc import Mapping, Sequence

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, register
from fedmezo.zeroth_order.steps.second_differences import Curvature


@register("newton")
class OverCurvature:
    """g_q / (share h): along each direction a client goes by rate g / h, and at rate 1 to where a parabola is lowest.

    h is the root mean square of z'Hz over the round so far; where it is 0, g_q is recorded as it is; directions whose
    parabolas together are lower than any loss are shortened (:meth:`.second_differences.Curvature.newton`).
    ``train.optimizer.lr auto`` is this with the rate CAUTION.
    Source: Newton's method in one dimension; for z in isotropic directions h is about tr H, whose inverse is the best
    rate of the noiseless step (docs/guides/steps.md).
    """

    def __init__(self, work: Round) -> None:
        self._curvature = Curvature(work)
        self._work = work

    def lanes(self, step: int) -> list[Lane]:
        """Return where the curvature is measured."""
        return self._curvature.lanes(step)

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return g / (share h), or less [Q]."""
        return [each / self._work.share for each in self._curvature.newton(step, gradients, losses)]
