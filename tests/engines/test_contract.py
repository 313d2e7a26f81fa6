"""What the round loop may expect of any engine."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmezo import engines
from fedmezo.errors import ClientError, DivergedError, FedmezoError
from fedmezo.federation.execution import Engine
from fedmezo.federation.messages import Plan, Reply, Task, pack_answer, unpack_answer
from fedmezo.trainers import LocalUpdate, step_context
from tests.engines.alone import Alone
from tests.models.tiny import make_batch

Make = Callable[[Callable[[Task, Tensor], Reply]], Engine]
PARAMETERS = torch.arange(3.0)
PLAN = Plan(4, tuple(Task(4, client, 0.1 * client, 1) for client in (0, 2, 3, 7)))


def work(task: Task, parameters: Tensor) -> Reply:
    """Return an update that shows which task and which parameters it was made of."""
    gradients = np.array([[parameters.sum().item() + task.client]], dtype=np.float32)
    return Reply(task, pack_answer(b"identity", task, LocalUpdate(0.5, 2, 0, gradients=gradients)), 0.0)


@pytest.fixture(params=sorted(engines.registry.names()))
def make(request: pytest.FixtureRequest) -> Make:
    engine = engines.registry[str(request.param)]
    return lambda train: engine(Alone(train))


def shown(reply: Reply) -> tuple[Task, list[list[float]]]:
    gradients = unpack_answer(reply.message).update.gradients
    assert gradients is not None
    return reply.task, gradients.tolist()


def test_results_come_in_the_order_of_the_plan(make: Make) -> None:
    results = list(make(work).run(PLAN, PARAMETERS))
    assert [shown(result) for result in results] == [(task, [[3.0 + task.client]]) for task in PLAN.tasks]


def test_an_engine_keeps_nothing_between_rounds(make: Make) -> None:
    engine = make(work)
    first = [shown(result) for result in engine.run(PLAN, PARAMETERS)]
    list(engine.run(Plan(5, PLAN.tasks[:1]), PARAMETERS + 1.0))
    assert [shown(result) for result in engine.run(PLAN, PARAMETERS)] == first


def test_an_empty_plan_has_no_results(make: Make) -> None:
    assert list(make(work).run(Plan(0, ()), PARAMETERS)) == []


def test_the_global_parameters_are_left_as_they_are(make: Make) -> None:
    before = PARAMETERS.clone()
    list(make(work).run(PLAN, PARAMETERS))
    assert torch.equal(PARAMETERS, before)


def test_a_clients_exception_says_where_it_happened(make: Make) -> None:
    def failing(task: Task, parameters: Tensor) -> Reply:
        if task.client == 2:
            with step_context(11, make_batch((2, 2), (1, 3))):
                raise IndexError("index out of range in self")
        return work(task, parameters)

    results = make(failing).run(PLAN, PARAMETERS)
    assert next(results).task.client == 0
    with pytest.raises(ClientError) as caught:
        list(results)
    assert str(caught.value) == ("round 4, client 2, step 11, examples [0, 1]: IndexError: index out of range in self")
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize("error", [DivergedError("too far"), FedmezoError("a message of our own")])
def test_an_error_with_a_message_of_its_own_passes_through(make: Make, error: FedmezoError) -> None:
    def failing(task: Task, parameters: Tensor) -> Reply:
        raise error

    with pytest.raises(type(error)) as caught:
        list(make(failing).run(PLAN, PARAMETERS))
    assert str(caught.value) == str(error)
    assert not isinstance(caught.value, ClientError)


def test_an_interrupt_is_no_clients_error(make: Make) -> None:
    def interrupted(task: Task, parameters: Tensor) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(make(interrupted).run(PLAN, PARAMETERS))
