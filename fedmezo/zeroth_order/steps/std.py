"""``std``: projected gradients over their standard deviation in a step."""

from collections.abc import Mapping, Sequence
from statistics import stdev

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import register
from fedmezo.zeroth_order.steps.plain import Plain


@register("std")
class OverDeviation(Plain):
    """g_q / s, with s the sample standard deviation of g over the queries of the step; 0 where s is.

    Source: FZOO (Dang et al., arXiv 2506.09034, ICLR 2026). There g is divided by the deviation of the losses
    L(theta + mu z_q), which is mu s with one-sided differences: the rate here is that of FZOO over mu.
    """

    def scalars(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return g / s [Q], of at least two queries."""
        deviation = stdev(gradients)  # exact: 0 where all are alike
        return [gradient / deviation if deviation else 0.0 for gradient in gradients]
