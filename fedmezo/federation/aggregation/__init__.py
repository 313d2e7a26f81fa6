"""Aggregation rules: what becomes of the clients' updates of a round. One file a rule; ``federate.method`` names it.

A rule is a function of the updates and of its own explicit state, which snapshots hold and replay rebuilds: whoever
applies the same rounds, server, node or ``fedmezo.replay``, comes to the same parameters and the same state.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from torch import Tensor

from fedmezo.core.registry import Registry

State = Mapping[str, Tensor]  # named tensors of any shape
NO_STATE: State = MappingProxyType({})


class Updates(Protocol):
    """The updates of a round that count, in the order of the clients; there is at least one.

    ``start`` [d] is what the clients started from.
    """

    @property
    def start(self) -> Tensor:
        """The global parameters before the round [d]."""
        ...

    def weights(self) -> Sequence[int]:
        """Return each client's weight, above 0: ``federate.weight_by``."""
        ...

    def points(self) -> Iterator[Tensor]:
        """Yield each client's parameters after its steps [d], in fp32 at least; may be called again."""
        ...

    def average(self, *, keep_start: bool = False) -> Tensor:
        """Return the weighted mean of the clients' parameters [d]: FedAvg, without making each client's own.

        Args:
            keep_start: needed where ``start`` is read afterwards: else the mean may be written over it.
        """
        ...


class Rule(Protocol):
    """The contract of a rule. Its constructor takes ``federate.method_args`` by name.

    ``stateful`` says whether :meth:`init` returns anything: such a rule's nodes replay every round.
    """

    stateful: bool

    def init(self, start: Tensor) -> State:
        """Return the state before the first round; ``start`` [d] are the initial parameters."""
        ...

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        """Return the parameters [d] after the round, and the state after it; ``state`` itself is not changed."""
        ...


registry: Registry[type[Rule]] = Registry("aggregation rule", __name__, needs=("init", "apply", "stateful"))
register = registry.register
