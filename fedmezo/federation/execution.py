"""How the round loop has client work executed: one primitive, whatever the engine."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor

from fedmezo.federation.messages import Plan, Reply, Task


class Work(Protocol):
    """What a client does in a round."""

    @property
    def lanes(self) -> int:
        """How many clients are to train together, where an engine can have them do so."""
        ...

    def __call__(self, task: Task, parameters: Tensor) -> Reply:
        """Train one client from the global parameters [d]."""
        ...

    def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Reply]:
        """Train several clients, whose losses may share forward passes: equal up to rounding."""
        ...


class Engine(Protocol):
    """The contract of an engine."""

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply]:
        """Yield the result of every task, in the order of the plan, as they become available.

        Raises:
            ClientError: a client failed; names round, client, step and batch.
        """
        ...
