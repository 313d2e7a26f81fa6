"""Whose answers count: hostile and broken ones are named and left out, prefixes count."""

import struct
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmezo.federation.messages import Message, Reply, Task, pack_answer
from fedmezo.federation.validation import AnswerValidation
from fedmezo.ledger.records import Rejection
from fedmezo.training import LocalUpdate

NAME = b"identity"
TASK = Task(7, 3, 1e-5, 4)
ACCEPT = AnswerValidation(NAME, size=5, queries=1, most_examples=lambda client, steps: 2 * steps, bound=100.0)
WEIGHTS = replace(ACCEPT, queries=0)
FINE = LocalUpdate(1.5, 8, 0, gradients=np.ones((4, 1), dtype=np.float32))
POINT = LocalUpdate(1.5, 8, 0, point=torch.ones(5))


def reason(update: LocalUpdate, task: Task = TASK, name: bytes = NAME, accept: AnswerValidation = ACCEPT) -> str:
    found = accept(Reply(TASK, pack_answer(name, task, update), 0.0))
    if isinstance(found, Rejection):
        assert found.client == TASK.client
        return found.reason
    return ""


def with_gradients(*values: float, examples: int = 2) -> LocalUpdate:
    return replace(FINE, gradients=np.array(values, dtype=np.float32)[:, None], examples=examples)


def test_honest_answers_count() -> None:
    assert reason(FINE) == reason(POINT, accept=WEIGHTS) == ""
    assert reason(replace(with_gradients(0.0, 1.0), failed=((0, 0),), nonfinite=1)) == ""
    assert reason(replace(FINE, train_loss=float("nan"), examples=0, gradients=np.zeros((4, 1), np.float32))) == ""


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_client_that_stopped_early_counts_with_its_prefix(steps: int) -> None:
    assert reason(with_gradients(*[1.0] * steps, examples=2 * steps)) == ""


@pytest.mark.parametrize(
    ("update", "wanted"),
    [
        (with_gradients(1.0, float("nan")), "a value that is not finite"),
        (with_gradients(float("inf")), "a value that is not finite"),
        (replace(FINE, train_loss=float("inf")), "a value that is not finite"),
        (with_gradients(1.0, -100.5), "a value beyond federate.gradient_bound"),
        (with_gradients(*[1.0] * 5), "a wrong number of values"),
        (replace(FINE, gradients=np.ones((4, 2), np.float32)), "a wrong number of values"),
        (replace(FINE, gradients=np.ones((0, 1), np.float32), examples=0), "a wrong number of values"),
        (with_gradients(1.0, examples=3), "a wrong number of values"),  # more examples than steps hold: more weight
        (
            replace(FINE, failed=((0, 0),), nonfinite=1),
            "malformed",
        ),  # a failed one is 0
        (POINT, "a wrong number of values"),
        (replace(FINE, nonfinite=13), "a wrong number of values"),  # more than 4 steps tried thrice can have
    ],
)
def test_scalars_that_cannot_be_right_are_left_out(update: LocalUpdate, wanted: str) -> None:
    assert reason(update) == wanted


@pytest.mark.parametrize(
    ("update", "wanted"),
    [
        (replace(POINT, point=torch.ones(6)), "a wrong number of values"),
        (replace(POINT, point=torch.tensor([1.0, 2.0, float("nan"), 1.0, 1.0])), "a value that is not finite"),
        (replace(POINT, examples=9), "a wrong number of values"),
        (replace(POINT, point=torch.full((5,), 1e300, dtype=torch.float64)), "a wrong number of values"),
        (FINE, "a wrong number of values"),
    ],
)
def test_weights_that_cannot_be_right_are_left_out(update: LocalUpdate, wanted: str) -> None:
    assert reason(update, accept=WEIGHTS) == wanted


@pytest.mark.parametrize(
    ("task", "name", "wanted"),
    [
        (replace(TASK, round_index=6), NAME, "of another round"),  # too late
        (replace(TASK, client=2), NAME, "of another client"),
        (TASK, b"anothers", "of another configuration, model or starting point"),
    ],
)
def test_answers_to_something_else_are_left_out(task: Task, name: bytes, wanted: str) -> None:
    assert reason(FINE, task, name) == wanted


def test_no_client_claims_more_examples_than_its_batches_hold() -> None:
    accept = replace(ACCEPT, most_examples=lambda client, steps: {1: 2, 2: 3}[steps] + client)
    assert reason(with_gradients(1.0, 1.0, examples=6), accept=accept) == ""
    assert reason(with_gradients(1.0, 1.0, examples=7), accept=accept) == "a wrong number of values"
    assert reason(with_gradients(1.0, examples=6), accept=accept) == "a wrong number of values"


def test_what_is_no_message_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    for data in (b"", b"hello", bytes(500), struct.pack("<BB8sIIIIHHf", 1, 0, NAME, 7, 3, 8, 2**32 - 1, 65535, 0, 1.0)):
        assert ACCEPT(Reply(TASK, Message(data), 0.0)) == Rejection(3, "malformed")
    assert "round 7: the answer of client 3 is malformed; it does not count" in caplog.text
