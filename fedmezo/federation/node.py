"""A process that works for clients, away from the server: it replays what it is sent to keep the global parameters."""

from dataclasses import dataclass, field

from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.aggregation import State
from fedmezo.federation.aggregation.folding import Aggregation
from fedmezo.federation.aggregation.validation import checked_state
from fedmezo.federation.engine import Executor
from fedmezo.federation.messages import Order, Reply


@dataclass(frozen=True)
class Stale:
    """The answer of a node that lacks rounds before those it was sent: it knows the effect of ``rounds``."""

    rounds: int


@dataclass
class Node:
    """The state of a node: the global parameters as of the last order, whichever client it was for.

    Args:
        work: what clients do.
        identity: of the run.
        aggregation: the arithmetic of its rounds.
        parameters: global parameters [d], at first the run's initial ones.
        in_place: whether they stay the same tensor, whose values change.
        rounds: done.
    """

    work: Executor
    identity: bytes
    aggregation: Aggregation
    parameters: Tensor
    in_place: bool = False
    rounds: int = 0
    state: State = field(init=False)  # of the aggregation rule; where parameters travel, a node does not need it

    def __post_init__(self) -> None:
        """Begin with the state of the aggregation rule for the initial parameters."""
        self.state = checked_state(self.aggregation.rule, self.parameters)

    def __call__(self, order: Order) -> Reply | Stale:
        """Do what an order asks for.

        Raises:
            ConfigurationError: it is an order of another run.
        """
        if order.identity != self.identity:
            raise ConfigurationError("the order is of another configuration, model or starting point than this node's")
        if order.parameters is None and not order.first <= self.rounds <= order.task.round_index:
            return Stale(self.rounds)
        self._catch_up(order)
        return self.work(order.task, self.parameters)

    def _catch_up(self, order: Order) -> None:
        out = self.parameters if self.in_place else None
        if order.parameters is not None:
            if self.aggregation.replays and self.state and order.first < self.rounds:
                raise ConfigurationError("this node knows of more rounds than the server; start it again")
            given = order.parameters.to(self.parameters.device)
            self.parameters = given if out is None else out.copy_(given)
            self.rounds = order.first
        for record in order.missed[self.rounds - order.first :]:
            self.parameters, self.state = self.aggregation.apply(record, self.parameters, out, self.state)
            self.rounds = record.rounds_done
