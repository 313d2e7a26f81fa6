"""Client work in other processes: orders go out by post, and what comes back is put into client order."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from torch import Tensor

from fedmezo.core.errors import MalformedError, OutOfMemoryError
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Failure, place
from fedmezo.federation.engines.membership import Membership, Session
from fedmezo.federation.engines.transport import Answered, Failed, HandshakeResponse, Lost, Response, Transport
from fedmezo.federation.messages import Plan, Reply, Task, train_loss
from fedmezo.federation.node import Stale

GROWTH, LONGEST = 1.1, 5.0  # of the time between two looks, while nothing comes; LONGEST is in times ``poll``
BEHIND = 3  # times that a client says it lacks earlier rounds before it is sent the parameters


@dataclass
class RemoteEngine:
    """Has nodes do the work of the clients.

    Args:
        transport: reaches the nodes.
        membership: who they are.
        downlink: what they are sent.
        on_step: told of every local step's loss, once the client has answered.
        timeout: seconds that a client has for its answer.
        wait: seconds that a node which is not there is waited for.
        poll: seconds from one look for answers to the next, at first.
        window: tasks given, or answers held back, at the same time.
    """

    transport: Transport
    membership: Membership
    downlink: Downlink
    on_step: Callable[[float], None]
    timeout: float
    wait: float
    poll: float
    window: int
    absent: set[int] = field(default_factory=set)

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        """Yield what became of every task, in the order of the plan, as it becomes known."""
        self.membership.refresh()
        under_way = _Round(self, plan, parameters)
        for task in plan.tasks:
            result = under_way.result(task)
            if isinstance(result, Reply):
                self._show(result)
            yield result

    def _show(self, reply: Reply) -> None:
        try:
            loss = train_loss(reply.message)
        except MalformedError:
            return
        for _ in range(reply.task.steps):
            self.on_step(loss)


@dataclass(frozen=True)
class _Sent:
    task: Task
    session: Session
    deadline: float
    behind: int = 0


class _Round:
    """The letters of one round."""

    def __init__(self, engine: RemoteEngine, plan: Plan, parameters: Tensor) -> None:
        self._engine = engine
        self._parameters = parameters
        self._left = deque(plan.tasks)
        self._without: dict[Task, float] = {}  # tasks whose client has no node, and until when it is waited for
        self._sent: dict[str, _Sent] = {}
        self._done: dict[Task, Reply | Failure] = {}

    def result(self, task: Task) -> Reply | Failure:
        """Return what became of a task."""
        self._fill()
        wait = self._engine.poll
        while task not in self._done:
            time.sleep(wait)
            self._engine.membership.refresh()
            self._move()
            wait = self._engine.poll if self._collect() else min(GROWTH * wait, LONGEST * self._engine.poll)
        return self._done.pop(task)

    def _fill(self) -> None:
        """Give as many tasks as the window allows."""
        while self._left and len(self._without) + len(self._sent) + len(self._done) < self._engine.window:
            self._await(self._left.popleft())
        self._move()

    def _move(self) -> None:
        """Send the tasks whose client has a node, and take back those whose node is not the same any more."""
        membership = self._engine.membership
        for task, until in list(self._without.items()):
            if (session := membership.node(task.client)) is not None:
                del self._without[task]
                self._engine.absent.discard(task.client)
                self._send(_Sent(task, session, time.monotonic() + self._engine.timeout))
            elif time.monotonic() >= until:
                del self._without[task]
                self._engine.absent.add(task.client)
                self._done[task] = Failure(task, _nobody(task, membership), late=True)
        for name, sent in list(self._sent.items()):
            if membership.node(sent.task.client) != sent.session:  # gone, started again, or another has taken its place
                del self._sent[name]
                self._await(sent.task)

    def _await(self, task: Task) -> None:
        """Have a task wait for a node of its client; not where that was in vain before."""
        wait = 0.0 if task.client in self._engine.absent else self._engine.wait
        self._without[task] = time.monotonic() + wait

    def _send(self, sent: _Sent, known: int | None = None) -> None:
        order = self._engine.downlink.order(sent.task, self._parameters, known)
        self._sent[self._engine.transport.send(sent.session.node, order)] = sent

    def _collect(self) -> int:
        """Take the answers that have come, return how many, and give up on those that are overdue."""
        found = 0
        for name, response in self._engine.transport.collect(list(self._sent)):
            self._take(self._sent.pop(name), response)
            found += 1
        for name, sent in list(self._sent.items()):
            if time.monotonic() >= sent.deadline:
                del self._sent[name]
                text = f"{place(sent.task)}: no answer within {self._engine.timeout:g} s"
                self._fail(sent, text, late=True)
        return found

    def _take(self, sent: _Sent, response: Response) -> None:
        match response:
            case Answered(message, seconds):
                self._done[sent.task] = Reply(sent.task, message, seconds)
            case Stale(rounds):
                again = replace(sent, behind=sent.behind + 1)
                self._send(again, rounds if again.behind < BEHIND else self._engine.downlink.rounds + 1)
            case Failed(text, exhausted):
                self._fail(sent, text, cause=OutOfMemoryError(text) if exhausted else None)
            case Lost(text):
                self._fail(sent, f"{place(sent.task)}: {text}", late=True)
            case HandshakeResponse():
                self._fail(sent, f"{place(sent.task)}: its node answers something else")

    def _fail(self, sent: _Sent, text: str, late: bool = False, cause: Exception | None = None) -> None:
        self._engine.membership.forget(sent.session.node)
        self._done[sent.task] = Failure(sent.task, text, late, cause)


def _nobody(task: Task, membership: Membership) -> str:
    refused = "".join(f"\n    {reason}" for reason in membership.reasons(task.client))
    return f"{place(task)}: no node works for this client{refused}"
