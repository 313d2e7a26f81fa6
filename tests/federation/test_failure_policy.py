"""Policies for clients that fail."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from fedmezo.core.errors import ClientError
from fedmezo.federation.engine import Failure
from fedmezo.federation.failure_policy import FailurePolicy
from fedmezo.federation.messages import Message, Plan, Reply, Task
from fedmezo.ledger.records import ClientRecord, Rejection, RoundRecord

PLAN = Plan(2, tuple(Task(2, client, 0.1, 1) for client in range(4)))
START = torch.zeros(1)


class Failing:
    """An engine whose clients fail so many times before they answer."""

    def __init__(self, **times: int) -> None:
        self.left = {int(name[1:]): count for name, count in times.items()}
        self.asked: list[int] = []

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        for task in plan.tasks:
            self.asked.append(task.client)
            self.left[task.client] = self.left.get(task.client, 0) - 1
            if self.left[task.client] >= 0:
                yield Failure(task, f"round 2, client {task.client}: it failed")
            else:
                yield Reply(task, Message(b""), 0.0)


def outcome(failure_policy: FailurePolicy, engine: Failing) -> list[bool]:
    return [isinstance(each, Reply) for each in failure_policy.run(engine, PLAN, START)]


def test_fail_ends_the_run_with_the_first_message() -> None:
    with pytest.raises(ClientError, match="round 2, client 1: it failed"):
        outcome(FailurePolicy(), Failing(c1=1, c3=1))


def test_drop_goes_on_without_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "fedmezo"):
        assert outcome(FailurePolicy(drop=True), Failing(c1=1, c3=1)) == [True, False, True, False]
    assert "round 2, client 1: it failed\n    the round goes on without it" in caplog.text


@pytest.mark.parametrize("retries", [1, 2, 5])
def test_a_task_is_given_again_and_the_order_stays(retries: int) -> None:
    engine = Failing(c1=1, c3=retries)
    assert outcome(FailurePolicy(retries=retries), engine) == [True] * 4
    assert engine.asked == [0, 1, 1, 2, *[3] * (retries + 1)]


def test_after_the_last_retry_the_policy_decides() -> None:
    with pytest.raises(ClientError, match="client 1"):
        outcome(FailurePolicy(retries=2), Failing(c1=3))
    assert outcome(FailurePolicy(drop=True, retries=2), Failing(c1=3)) == [True, False, True, True]


@pytest.mark.parametrize(
    ("least", "found", "enough"), [(0, 0, True), (1, 0, False), (3, 2, False), (3, 3, True), (9, 4, True)]
)
def test_a_round_needs_a_number_of_answers(least: int, found: int, enough: bool) -> None:
    rows = tuple(ClientRecord(client, 0.1, 1, 1, 0.5) for client in range(found))
    record = RoundRecord(2, rows, tuple(Rejection(client, "none in time") for client in range(found, 4)))
    if enough:
        FailurePolicy(least=least).check(PLAN, record)
        return
    with pytest.raises(ClientError, match=f"{found} of 4 answers count; federate.min_results = {least} asks for more"):
        FailurePolicy(least=least).check(PLAN, record)


def test_a_round_with_fewer_clients_than_that_needs_all_of_them() -> None:
    FailurePolicy(least=5).check(Plan(0, ()), RoundRecord(0, ()))
