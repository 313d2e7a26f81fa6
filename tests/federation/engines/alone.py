"""Client work for engines, made of a function of one task, and what engines make of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from fedmezo.federation.engine import Failure
from fedmezo.federation.messages import Reply, Task


@dataclass(frozen=True)
class Alone:
    """Trains one client after the other, though asked for several together."""

    train: Callable[[Task, Tensor], Reply]
    lanes: int = 1

    def __call__(self, task: Task, parameters: Tensor) -> Reply:
        return self.train(task, parameters)

    def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Reply]:
        return [self(task, parameters) for task in tasks]


def replies(results: Iterable[Reply | Failure]) -> list[Reply]:
    """Return the results of clients none of which failed."""
    found = list(results)
    assert all(isinstance(each, Reply) for each in found), found
    return [each for each in found if isinstance(each, Reply)]
