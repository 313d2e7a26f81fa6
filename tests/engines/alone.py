"""Client work for engines, made of a function of one task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from fedmezo.federation.messages import Result, Task


@dataclass(frozen=True)
class Alone:
    """Trains one client after the other, though asked for several together."""

    train: Callable[[Task, Tensor], Result]
    lanes: int = 1

    def __call__(self, task: Task, parameters: Tensor) -> Result:
        return self.train(task, parameters)

    def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Result]:
        return [self(task, parameters) for task in tasks]
