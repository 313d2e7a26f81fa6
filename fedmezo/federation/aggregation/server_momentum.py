"""``server_momentum``: the server moves along a running sum of the rounds' mean updates."""

import torch
from torch import Tensor

from fedmezo.federation.aggregation import State, Updates, register


@register("server_momentum")
class ServerMomentum:
    """FedAvg with momentum at the server: v <- beta v + (mean - start), parameters <- start + rate v.

    Source: Hsu et al. (arXiv 1909.06335, 2019), section 4.2.

    Args:
        beta: of the momentum, from 0 to below 1; 0 with a rate of 1 is FedAvg.
        rate: of the server.
    """

    stateful = True

    def __init__(self, beta: float = 0.9, rate: float = 1.0) -> None:
        if not (0 <= beta < 1 and rate > 0):
            raise ValueError(f"beta = {beta}, rate = {rate}: expected beta from 0 to below 1, and a rate above 0")
        self.beta = beta
        self.rate = rate

    def init(self, start: Tensor) -> State:
        """Return the momentum v [d], zero."""
        return {"momentum": torch.zeros_like(start)}

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        """Return the moved parameters [d], and the momentum."""
        step = updates.average(keep_start=True) - updates.start
        momentum = self.beta * state["momentum"] + step
        return updates.start + self.rate * momentum, {"momentum": momentum}
