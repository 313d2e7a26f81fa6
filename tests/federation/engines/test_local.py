from collections.abc import Sequence

import torch
from torch import Tensor

from fedmezo.federation.engines.local import LocalEngine
from fedmezo.federation.messages import Message, Plan, Reply, Task
from tests.federation.engines.alone import Alone


def test_clients_work_when_their_result_is_asked_for() -> None:
    started: list[int] = []

    def work(task: Task, parameters: Tensor) -> Reply:
        started.append(task.client)
        return Reply(task, Message(b""), 0.0)

    results = LocalEngine(Alone(work)).run(
        Plan(0, tuple(Task(0, client, 0.1, 1) for client in range(3))), torch.zeros(1)
    )
    assert started == []
    for client in range(3):
        next(results)
        assert started == list(range(client + 1))


def test_clients_get_the_very_parameters_without_a_copy() -> None:
    parameters, seen = torch.zeros(2), []

    def work(task: Task, given: Tensor) -> Reply:
        seen.append(given is parameters)
        return Reply(task, Message(b""), 0.0)

    list(LocalEngine(Alone(work)).run(Plan(0, (Task(0, 0, 0.1, 1), Task(0, 1, 0.1, 1))), parameters))
    assert seen == [True, True]


def test_as_many_clients_as_train_together_are_asked_at_once() -> None:
    asked: list[int] = []

    class Together(Alone):
        def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Reply]:
            asked.append(len(tasks))
            return super().together(tasks, parameters)

    def work(task: Task, parameters: Tensor) -> Reply:
        return Reply(task, Message(b""), 0.0)

    plan = Plan(0, tuple(Task(0, client, 0.1, 1) for client in range(5)))
    results = LocalEngine(Together(work, lanes=2)).run(plan, torch.zeros(1))
    assert [result.task.client for result in results] == list(range(5))
    assert asked == [2, 2, 1]
