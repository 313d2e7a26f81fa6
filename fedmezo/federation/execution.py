"""How the round loop has client work executed: one primitive, whatever the engine."""

from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor

from fedmezo.federation.messages import Plan, Result, Task

Work = Callable[[Task, Tensor], Result]


class Engine(Protocol):
    """The contract of an engine."""

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Result]:
        """Yield the result of every task, in the order of the plan, as they become available.

        Raises:
            ClientError: a client failed; names round, client, step and batch.
        """
        ...
