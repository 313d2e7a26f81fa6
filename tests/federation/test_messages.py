"""Messages: what is packed comes back, and is as small as the issue of a ledger wants it."""

import numpy as np
import pytest
import torch

from fedmezo.core.errors import MalformedError
from fedmezo.federation.communication import CLIENTS, ITEMSIZE, PARAMETERS, ROUNDS, STEPS, paper_bytes, round_traffic
from fedmezo.federation.messages import Message, Task, pack_answer, pack_order, unpack_answer, unpack_order
from fedmezo.ledger.codec import pack
from fedmezo.ledger.records import ClientRecord, RoundRecord
from fedmezo.training import LocalUpdate

NAME = b"identity"
TASK = Task(7, 3, 1e-5, 30)
GRADIENTS = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)


def in_one_piece(message: Message) -> Message:
    """As it arrives from elsewhere."""
    return Message(bytes(message))


def a_round(index: int, clients: int = 3, queries: int = 1) -> RoundRecord:
    rows = (
        ClientRecord(client, 0.1 * (client + 1), 30, 30, 1.0, gradients=GRADIENTS[:, :queries] + np.float32(index))
        for client in range(clients)
    )
    return RoundRecord(index, tuple(rows))


def test_scalars_come_back_bit_for_bit() -> None:
    gradients = GRADIENTS.copy()
    gradients[4, 1] = 0.0
    update = LocalUpdate(1.25, 60, 1, gradients=gradients, failed=((4, 1),))
    answer = unpack_answer(in_one_piece(pack_answer(NAME, TASK, update)))
    assert (answer.identity, answer.round_index, answer.client) == (NAME, 7, 3)
    found = answer.update
    assert found.gradients is not None and found.gradients.tobytes() == gradients.tobytes()
    assert (found.train_loss, found.examples, found.nonfinite, found.failed) == (1.25, 60, 1, ((4, 1),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_come_back_bit_for_bit_and_are_not_copied_before(dtype: torch.dtype) -> None:
    point = torch.randn(11, dtype=dtype, generator=torch.Generator().manual_seed(0))
    message = pack_answer(NAME, TASK, LocalUpdate(float("nan"), 60, 0, point=point))
    for received in (message, in_one_piece(message)):
        found = unpack_answer(received).update.point
        assert found is not None and torch.equal(found, point) and found.dtype == dtype
    held = unpack_answer(message).update.point
    assert held is not None and held.data_ptr() == point.data_ptr()
    assert len(message) == len(bytes(message)) == 34 + point.numel() * dtype.itemsize


def test_an_order_brings_what_was_missed_and_nothing_of_losses() -> None:
    missed = [a_round(5), a_round(6)]
    order = unpack_order(in_one_piece(pack_order(NAME, TASK, 5, missed)))
    assert (order.identity, order.task, order.first, order.parameters) == (NAME, TASK, 5, None)
    for found, sent in zip(order.missed, missed, strict=True):
        for one, other in zip(found.clients, sent.clients, strict=True):
            assert one.gradients is not None and other.gradients is not None
            assert one.gradients.tobytes() == other.gradients.tobytes()
            assert (one.client, one.weight, one.learning_rate) == (other.client, other.weight, other.learning_rate)
            assert np.isnan(one.train_loss)


def test_an_order_may_bring_parameters_instead() -> None:
    point = torch.arange(5.0)
    order = unpack_order(in_one_piece(pack_order(NAME, TASK, 7, (), point)))
    assert order.parameters is not None and torch.equal(order.parameters, point)
    assert (order.first, order.missed) == (7, ())


@pytest.mark.parametrize("head", [b"", b"\x02" + bytes(40), b"\x01\x08" + bytes(40), bytes(200)])
def test_what_is_no_message_is_malformed(head: bytes) -> None:
    for unpack in (unpack_answer, unpack_order):
        with pytest.raises(MalformedError):
            unpack(Message(head))


def test_a_message_with_more_than_it_says_is_malformed() -> None:
    message = pack_answer(NAME, TASK, LocalUpdate(1.0, 60, 0, gradients=GRADIENTS))
    for changed in (bytes(message) + b"x", bytes(message)[:-1]):
        with pytest.raises(MalformedError):
            unpack_answer(Message(changed))


def test_scalars_of_the_papers_setting_fit_the_budget() -> None:
    """30 steps, 3 clients, one query: at most 160 bytes up and 480 down, also where steps have failed."""
    traffic = round_traffic(PARAMETERS, [STEPS] * CLIENTS, 1, scalars=True)
    assert (traffic.up, traffic.down) == (34 + 120, 34 + 2 + 3 * (11 + 120)) == (154, 429)
    failed = LocalUpdate(1.0, 30, 1, gradients=np.zeros((30, 1), dtype=np.float32), failed=((0, 0),))
    assert len(pack_answer(NAME, TASK, failed)) == 158 <= 160 and traffic.down <= 480


def test_weights_of_the_papers_setting_are_what_it_reports() -> None:
    """It trains 42,598,400 parameters, and sends them in fp16."""
    traffic = round_traffic(PARAMETERS, [STEPS] * CLIENTS, 1, scalars=False, itemsize=ITEMSIZE)
    assert PARAMETERS == 42_598_400
    assert (traffic.up, traffic.down) == (34 + 2 * PARAMETERS, 34 + 2 * PARAMETERS)
    assert paper_bytes(scalars=False) / 1e9 == pytest.approx(255.6, abs=0.05)
    assert paper_bytes(scalars=True) == ROUNDS * CLIENTS * (154 + 429)


def test_the_ledger_says_more_than_an_order() -> None:
    assert len(pack(a_round(0))[1]) > len(pack_order(NAME, TASK, 0, [a_round(0)])) - 34
