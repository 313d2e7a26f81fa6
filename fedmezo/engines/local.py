"""``local``: the clients of a round one after the other, in this process, on one model."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from fedmezo.engines import register
from fedmezo.errors import ClientError, FedmezoError
from fedmezo.federation.execution import Work
from fedmezo.federation.messages import Plan, Result
from fedmezo.user_code import blame


@register("local")
@dataclass(frozen=True)
class LocalEngine:
    """Runs each task when its result is asked for."""

    work: Work

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Result]:
        """Yield the results in client order; a client's exception becomes a ClientError that says where."""
        for task in plan.tasks:
            try:
                yield self.work(task, parameters)
            except FedmezoError:
                raise
            except Exception as error:
                where = ", ".join([f"round {task.round_index}", f"client {task.client}", *_notes(error)])
                own = f"\n    in {place}" if (place := blame(error)) else ""
                raise ClientError(f"{where}: {type(error).__name__}: {error}{own}") from error


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))
