"""``local``: the clients of a round one after the other, in this process, on one model."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from fedmezo.engines import register
from fedmezo.errors import ClientError, FedmezoError
from fedmezo.federation.execution import Work
from fedmezo.federation.messages import Plan, Reply
from fedmezo.user_code import blame


@register("local")
@dataclass(frozen=True)
class LocalEngine:
    """Runs each task, or as many as train together, when its result is asked for."""

    work: Work

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply]:
        """Yield the results in client order; a client's exception becomes a ClientError that says where."""
        size = self.work.lanes
        for tasks in (plan.tasks[i : i + size] for i in range(0, len(plan.tasks), size)):
            try:
                yield from self.work.together(tasks, parameters)
            except FedmezoError:
                raise
            except Exception as error:
                clients = ", ".join(str(task.client) for task in tasks)
                who = f"client {clients}" if len(tasks) == 1 else f"one of the clients {clients}"
                where = ", ".join([f"round {plan.round_index}", who, *_notes(error)])
                own = f"\n    in {place}" if (place := blame(error)) else ""
                raise ClientError(f"{where}: {type(error).__name__}: {error}{own}") from error


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))
