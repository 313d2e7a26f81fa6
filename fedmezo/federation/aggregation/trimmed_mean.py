"""``trimmed_mean``: of every coordinate, the mean of what is left without the largest and the smallest values."""

import torch
from torch import Tensor

from fedmezo.federation.aggregation import NO_STATE, State, Updates, register

BLOCK = 1 << 20  # coordinates sorted at a time


@register("trimmed_mean")
class TrimmedMean:
    """The coordinate-wise trimmed mean, in which a few clients cannot move the model far; weights do not count.

    Source: Yin et al. (ICML 2018), definition 2.

    Args:
        share: of the clients, taken from either end, below 0.5; rounded down to whole clients.
    """

    stateful = False

    def __init__(self, share: float = 0.2) -> None:
        if not 0 <= share < 0.5:
            raise ValueError(f"share = {share}: expected a number from 0 to below 0.5")
        self.share = share

    def init(self, start: Tensor) -> State:
        """Return no state."""
        return NO_STATE

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        """Return the trimmed mean [d]."""
        points = list(updates.points())
        cut = int(round(self.share * len(points), 9))  # 0.29 of 100 are 29
        mean = torch.empty_like(points[0])
        for begin in range(0, mean.numel(), BLOCK):
            block = torch.stack([point[begin : begin + BLOCK] for point in points]).sort(dim=0).values
            mean[begin : begin + BLOCK] = block[cut : len(points) - cut].double().mean(dim=0)
        return mean, state
