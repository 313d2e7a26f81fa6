"""Catching up: whoever was away is sent what it missed, and comes to the same bits."""

import numpy as np
import pytest
import torch

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions
from fedmezo.federation.aggregation.folding import ScalarAggregation, Weighting
from fedmezo.federation.communication import Downlink
from fedmezo.federation.messages import Message, Task, pack_answer, unpack_order
from fedmezo.ledger.records import ClientRecord, RoundRecord
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import DirectionKeys, Replay

NAME = b"identity"
KEYS = DirectionKeys(seed=9)
CLIENTS, STEPS = 4, 3


def aggregation(size: int) -> ScalarAggregation:
    runs = ((0, size // 2, True), (size // 2, size, False))
    return ScalarAggregation(Replay(runs, 0.1, Directions("gaussian")), KEYS, Weighting((10,) * CLIENTS))


def a_round(index: int, clients: tuple[int, ...]) -> RoundRecord:
    draw = np.random.default_rng(index)
    rows = (
        ClientRecord(client, 0.1, 5, 5, 1.0, gradients=draw.normal(size=(STEPS, 1)).astype(np.float32))
        for client in clients
    )
    return RoundRecord(index, tuple(rows))


def taking_part(index: int) -> tuple[int, ...]:
    """Client 3 is away for long."""
    return (0, 1, 3) if index in (0, 9) else ((0, 1) if index % 2 else (1, 2))


@pytest.mark.parametrize("size", [40, 4000])
def test_every_client_comes_to_the_servers_bits_whatever_it_missed(size: int) -> None:
    folding, start = aggregation(size), direction(1, 0, size)
    server, downlink = start.clone(), Downlink(NAME, size, scalars=True)
    clients = {client: start.clone() for client in range(CLIENTS)}
    logs = parameters = 0
    for index in range(10):
        record = a_round(index, taking_part(index))
        orders = {row.client: downlink.order(Task(index, row.client, 0.1, STEPS), server) for row in record.clients}
        for client, message in orders.items():
            order = unpack_order(Message(bytes(message)))
            for missed in order.missed:
                clients[client] = folding.apply(missed, clients[client])[0]
            if order.parameters is not None:
                clients[client] = order.parameters
            logs, parameters = logs + bool(order.missed), parameters + (order.parameters is not None)
            assert torch.equal(clients[client], server), (index, client)
        for row, traffic in zip(record.clients, downlink.observe(record), strict=True):
            assert traffic.down == len(orders[row.client])
            update = LocalUpdate(row.train_loss, row.examples, 0, gradients=row.gradients)
            assert traffic.up == len(pack_answer(NAME, Task(index, row.client, 0.1, STEPS), update))
        server = folding.apply(record, server)[0]
    assert logs > 5 and (parameters > 0) is (size == 40)  # few parameters are less than a long log


def test_weights_are_sent_to_everybody() -> None:
    downlink = Downlink(NAME, 10, scalars=False)
    for index in range(2):
        order = unpack_order(downlink.order(Task(index, 0, 0.1, STEPS), torch.arange(10.0)))
        assert order.parameters is not None and order.parameters.tolist() == list(range(10))
        record = RoundRecord(index, (ClientRecord(0, 0.1, 5, 5, 1.0),), digest=bytes(16))
        assert downlink.observe(record)[0].down == downlink.observe(record)[0].up == 34 + 40
