"""``local``: the clients of a round one after the other, in this process, on one model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from fedmezo.core.log import LOG
from fedmezo.federation.engine import Executor, Failure, failure
from fedmezo.federation.engines import Resources, register
from fedmezo.federation.messages import Plan, Reply, Task


@register("local")
@dataclass(frozen=True)
class LocalEngine:
    """Runs each task, or as many as train together, when its result is asked for."""

    executor: Executor

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the engine of a run."""
        return cls(resources.executor)

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        """Yield the results in client order."""
        size = self.executor.lanes
        for tasks in (plan.tasks[i : i + size] for i in range(0, len(plan.tasks), size)):
            yield from self._together(tasks, parameters)

    def _together(self, tasks: Sequence[Task], parameters: Tensor) -> Iterator[Reply | Failure]:
        try:
            replies: Sequence[Reply | Failure] = self.executor.together(tasks, parameters)
        except Exception as error:  # noqa: BLE001 - whatever a client's work raises is its failure
            replies = [failure(tasks[0], error)]
        if len(tasks) > 1 and isinstance(replies[0], Failure):  # whose it is shows when each trains alone
            LOG.warning(f"{replies[0].message}\n    {len(tasks)} clients trained together; now one after the other")
            for task in tasks:
                yield from self._together([task], parameters)
        else:
            yield from replies
