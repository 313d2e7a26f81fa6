"""How the round loop has client work executed: one primitive, whatever the engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from torch import Tensor

from fedmezo.core.errors import ClientError, FedmezoError
from fedmezo.core.extensions import culprit
from fedmezo.core.out_of_memory import advised, first_line, ran_out
from fedmezo.federation.messages import Plan, Reply, Task


@dataclass(frozen=True)
class Failure:
    """A task without an answer.

    Args:
        task: that was given.
        message: what happened, in the user's words: round, client, and where known step and batch.
        late: the answer did not come in time, or nobody works for the client; otherwise its work failed.
        cause: of it, where it happened in this process.
    """

    task: Task
    message: str
    late: bool = False
    cause: Exception | None = None

    def throw(self) -> NoReturn:
        """End the run with it."""
        if isinstance(self.cause, FedmezoError):
            raise self.cause
        raise ClientError(self.message) from self.cause


def failure(task: Task, error: Exception) -> Failure:
    """Return the failure that an exception in a client's work is; errors with a message of their own keep it."""
    if isinstance(error, FedmezoError):
        return Failure(task, str(error), cause=error)
    where = ", ".join([place(task), *getattr(error, "__notes__", [])])
    if ran_out(error):
        exhausted = advised(f"{where}: {first_line(error)}")
        return Failure(task, str(exhausted), cause=exhausted)
    own = f"\n    in {found}" if (found := culprit(error)) else ""
    return Failure(task, f"{where}: {type(error).__name__}: {error}{own}", cause=error)


def place(task: Task) -> str:
    """Return round and client in words."""
    return f"round {task.round_index}, client {task.client}"


class Executor(Protocol):
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
    """The contract of an engine. One that is a context manager as well is entered for the time of a run."""

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        """Yield what became of every task, in the order of the plan, as it becomes known."""
        ...
