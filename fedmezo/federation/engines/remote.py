"""Client work in other processes: orders go out as requests, and what comes back is put into client order."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import Tensor

from fedmezo.core.errors import MalformedError, OutOfMemoryError
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Failure, place
from fedmezo.federation.engines.membership import Membership, Session
from fedmezo.federation.engines.transport import Answered, Failed, HandshakeResponse, Lost, Response, Transport
from fedmezo.federation.messages import Plan, Reply, Task, train_loss
from fedmezo.federation.node import Stale

GROWTH, LONGEST = 1.1, 5.0  # of the time between two looks, while nothing comes; LONGEST is in times ``poll``
STALE_LIMIT = 3  # times that a client says it lacks earlier rounds before it is sent the parameters


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


@dataclass(eq=False)
class _Assignment:
    """What has become of a task so far: it waits for a node of its client, is with one, or is done.

    Args:
        task: which.
        until: the end of waiting, for a node or for its answer.
        session: of the node that it is with.
        request: the name of what that node was sent.
        stale: times that the node has said it lacks earlier rounds.
        outcome: of the task, once there is one.
    """

    task: Task
    until: float
    session: Session | None = None
    request: str = ""
    stale: int = 0
    outcome: Reply | Failure | None = None


class _Round:
    """The tasks of one round, given out in order, a window of them at the same time."""

    def __init__(self, engine: RemoteEngine, plan: Plan, parameters: Tensor) -> None:
        self._engine = engine
        self._parameters = parameters
        self._left = deque(plan.tasks)
        self._given: dict[Task, _Assignment] = {}

    def result(self, task: Task) -> Reply | Failure:
        """Return what became of a task."""
        self._give()
        self._send_what_waits()
        wait = self._engine.poll
        while (outcome := self._given[task].outcome) is None:
            time.sleep(wait)
            self._engine.membership.refresh()
            self._take_back()
            self._send_what_waits()
            wait = self._engine.poll if self._collect() else min(GROWTH * wait, LONGEST * self._engine.poll)
            self._give_up()
        del self._given[task]
        return outcome

    def _give(self) -> None:
        while self._left and len(self._given) < self._engine.window:
            task = self._left.popleft()
            self._given[task] = _Assignment(task, self._end_of_waiting(task))

    def _end_of_waiting(self, task: Task) -> float:
        """Return until when a node of a task's client is waited for; no time where that was in vain before."""
        return time.monotonic() + (0.0 if task.client in self._engine.absent else self._engine.wait)

    def _open(self, *, sent: bool) -> list[_Assignment]:
        return [each for each in self._given.values() if each.outcome is None and (each.session is not None) is sent]

    def _send_what_waits(self) -> None:
        for each in self._open(sent=False):
            if (session := self._engine.membership.node(each.task.client)) is not None:
                self._engine.absent.discard(each.task.client)
                each.session, each.stale = session, 0
                each.until = time.monotonic() + self._engine.timeout
                self._send(each)
            elif time.monotonic() >= each.until:
                self._engine.absent.add(each.task.client)
                each.outcome = Failure(each.task, _nobody(each.task, self._engine.membership), late=True)

    def _take_back(self) -> None:
        """Have tasks wait again whose node is gone, was started again, or has another in its place."""
        for each in self._open(sent=True):
            if self._engine.membership.node(each.task.client) != each.session:
                each.session, each.until = None, self._end_of_waiting(each.task)

    def _send(self, each: _Assignment, known: int | None = None) -> None:
        assert each.session is not None
        order = self._engine.downlink.order(each.task, self._parameters, known)
        each.request = self._engine.transport.send(each.session.node, order)

    def _collect(self) -> int:
        """Take the answers that have come, and return how many."""
        sent, found = {each.request: each for each in self._open(sent=True)}, 0
        for request, response in self._engine.transport.collect(list(sent)):
            self._take(sent[request], response)
            found += 1
        return found

    def _give_up(self) -> None:
        for each in self._open(sent=True):
            if time.monotonic() >= each.until:
                self._fail(each, f"{place(each.task)}: no answer within {self._engine.timeout:g} s", late=True)

    def _take(self, each: _Assignment, response: Response) -> None:
        match response:
            case Answered(message, seconds):
                each.outcome = Reply(each.task, message, seconds)
            case Stale(rounds):
                each.stale += 1
                self._send(each, rounds if each.stale < STALE_LIMIT else self._engine.downlink.rounds + 1)
            case Failed(text, exhausted):
                self._fail(each, text, cause=OutOfMemoryError(text) if exhausted else None)
            case Lost(text):
                self._fail(each, f"{place(each.task)}: {text}", late=True)
            case HandshakeResponse():
                self._fail(each, f"{place(each.task)}: its node answers something else")

    def _fail(self, each: _Assignment, text: str, late: bool = False, cause: Exception | None = None) -> None:
        assert each.session is not None
        self._engine.membership.forget(each.session.node)
        each.outcome = Failure(each.task, text, late, cause)


def _nobody(task: Task, membership: Membership) -> str:
    refused = "".join(f"\n    {reason}" for reason in membership.reasons(task.client))
    return f"{place(task)}: no node works for this client{refused}"
