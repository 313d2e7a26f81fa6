"""``fedavg``: the mean of the clients' parameters, weighted."""

from torch import Tensor

from fedmezo.federation.aggregation import NO_STATE, State, Updates, register


@register("fedavg")
class FedAvg:
    """The weighted mean of the clients' parameters.

    Source: McMahan et al. (AISTATS 2017), algorithm 1.
    """

    stateful = False

    def init(self, start: Tensor) -> State:
        """Return no state."""
        return NO_STATE

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        """Return the mean [d]."""
        return updates.average(), state
