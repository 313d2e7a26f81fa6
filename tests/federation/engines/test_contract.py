"""What the round loop may expect of any engine; those of other processes have a transport without a network here."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmezo.core.errors import ClientError, DivergedError, FedmezoError, OutOfMemoryError
from fedmezo.federation import engines
from fedmezo.federation.aggregation.folding import WeightAggregation, Weighting
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine, Failure
from fedmezo.federation.engines.flower import Flower, FlowerSimulation, _GridEngine
from fedmezo.federation.engines.local import LocalEngine
from fedmezo.federation.engines.membership import Membership
from fedmezo.federation.engines.node_server import LoadedNode, NodeServer
from fedmezo.federation.engines.remote import RemoteEngine
from fedmezo.federation.engines.transport import Request, Response
from fedmezo.federation.failure_policy import FailurePolicy
from fedmezo.federation.messages import Plan, Reply, Task, pack_answer, unpack_answer
from fedmezo.federation.node import Node
from fedmezo.training import LocalUpdate, step_context
from tests.federation.engines.alone import Alone, replies
from tests.federation.engines.direct import DirectTransport
from tests.models.tiny import make_batch

Make = Callable[[Callable[[Task, Tensor], Reply]], Engine]
NAME = b"identity"
PARAMETERS = torch.arange(3.0)
PLAN = Plan(4, tuple(Task(4, client, 0.1 * client, 1) for client in (0, 2, 3, 7)))


def work(task: Task, parameters: Tensor) -> Reply:
    """Return an update that shows which task and which parameters it was made of."""
    gradients = np.array([[parameters.sum().item() + task.client]], dtype=np.float32)
    return Reply(task, pack_answer(NAME, task, LocalUpdate(0.5, 2, 0, gradients=gradients)), 0.0)


def remote(train: Callable[[Task, Tensor], Reply]) -> RemoteEngine:
    """Return an engine whose four nodes are here, each with parameters of its own."""

    def node(client: int) -> Callable[[Request], Response]:
        folding = WeightAggregation(Weighting(()))
        server = NodeServer(lambda: LoadedNode(Node(Alone(train), NAME, folding, torch.zeros(3))))
        return lambda request: server("run", client, request)

    transport = DirectTransport({100 - client: node(client) for client in (0, 2, 3, 7)})
    downlink = Downlink(NAME, 3, scalars=False)
    return RemoteEngine(transport, Membership(transport, None), downlink, lambda loss: None, 5.0, 5.0, 0.001, window=2)


@pytest.fixture(params=["local", "remote"])
def make(request: pytest.FixtureRequest) -> Make:
    makers: dict[str, Make] = {"local": lambda train: LocalEngine(Alone(train)), "remote": remote}
    return makers[str(request.param)]


def test_every_engine_is_one_of_these() -> None:
    kinds = {name: engines.registry[name] for name in engines.registry.names()}
    assert kinds == {"local": LocalEngine, "flower": Flower, "flower_simulation": FlowerSimulation}
    assert all(issubclass(kind, _GridEngine) for kind in (Flower, FlowerSimulation))


def shown(reply: Reply) -> tuple[Task, list[list[float]]]:
    gradients = unpack_answer(reply.message).update.gradients
    assert gradients is not None
    return reply.task, gradients.tolist()


def test_results_come_in_the_order_of_the_plan(make: Make) -> None:
    results = replies(make(work).run(PLAN, PARAMETERS))
    assert [shown(result) for result in results] == [(task, [[3.0 + task.client]]) for task in PLAN.tasks]


def test_an_engine_keeps_nothing_between_rounds(make: Make) -> None:
    engine = make(work)
    first = [shown(result) for result in replies(engine.run(PLAN, PARAMETERS))]
    list(engine.run(Plan(5, PLAN.tasks[:1]), PARAMETERS + 1.0))
    assert [shown(result) for result in replies(engine.run(PLAN, PARAMETERS))] == first


def test_an_empty_plan_has_no_results(make: Make) -> None:
    assert list(make(work).run(Plan(0, ()), PARAMETERS)) == []


def test_the_global_parameters_are_left_as_they_are(make: Make) -> None:
    before = PARAMETERS.clone()
    list(make(work).run(PLAN, PARAMETERS))
    assert torch.equal(PARAMETERS, before)


def test_want_of_memory_at_a_client_is_what_the_run_ends_with(make: Make) -> None:
    def failing(task: Task, parameters: Tensor) -> Reply:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    (first, *_) = make(failing).run(PLAN, PARAMETERS)
    assert isinstance(first, Failure)
    with pytest.raises(OutOfMemoryError, match="round 4, client 0: OutOfMemoryError: CUDA out of memory") as caught:
        first.throw()
    assert "docs/guides/out-of-memory.md" in str(caught.value)


def test_a_clients_exception_says_where_it_happened(make: Make) -> None:
    def failing(task: Task, parameters: Tensor) -> Reply:
        if task.client == 2:
            with step_context(11, make_batch((2, 2), (1, 3))):
                raise IndexError("index out of range in self")
        return work(task, parameters)

    results = list(make(failing).run(PLAN, PARAMETERS))
    assert [isinstance(each, Failure) for each in results] == [False, True, False, False]
    assert isinstance(results[1], Failure) and not results[1].late
    assert results[1].message == "round 4, client 2, step 11, examples [0, 1]: IndexError: index out of range in self"
    with pytest.raises(ClientError, match="round 4, client 2, step 11"):
        list(FailurePolicy().run(make(failing), PLAN, PARAMETERS))


@pytest.mark.parametrize("error", [DivergedError("too far"), FedmezoError("a message of our own")])
def test_an_error_with_a_message_of_its_own_keeps_it(make: Make, error: FedmezoError) -> None:
    def failing(task: Task, parameters: Tensor) -> Reply:
        raise error

    with pytest.raises(FedmezoError, match=str(error)) as caught:
        list(FailurePolicy().run(make(failing), PLAN, PARAMETERS))
    assert not isinstance(caught.value.__cause__, FedmezoError)


def test_an_interrupt_is_no_clients_error(make: Make) -> None:
    def interrupted(task: Task, parameters: Tensor) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(make(interrupted).run(PLAN, PARAMETERS))
