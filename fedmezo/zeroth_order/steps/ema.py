"""``ema``: projected gradients over the root of their running second moment."""

import math
from collections.abc import Mapping, Sequence

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round, register
from fedmezo.zeroth_order.steps.plain import Plain

BETA = 0.9


@register("ema")
class OverRunningMoment(Plain):
    """g_q / sqrt(v / (1 - beta^t)), with v <- beta v + (1 - beta) mean_q g_q^2 over the t steps so far; 0 where v is.

    Source: MEAZO (Dbouk et al., "On adaptivity in zeroth-order optimization", arXiv 2605.03869): Adam's second moment,
    as one number for all parameters. Deviation: the mean of squares, where MEAZO has the square of the mean.
    """

    def __init__(self, work: Round) -> None:
        super().__init__(work)
        self._moment, self._missing = 0.0, 1.0  # v and beta^t

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return g / sqrt(v / (1 - beta^t)) [Q]."""
        self._moment = BETA * self._moment + (1.0 - BETA) * math.fsum(g * g for g in gradients) / len(gradients)
        self._missing *= BETA
        scale = math.sqrt(self._moment / (1.0 - self._missing))
        return [gradient / scale if scale else 0.0 for gradient in gradients]
