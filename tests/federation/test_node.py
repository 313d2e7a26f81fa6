"""Nodes come to the server's bits, whichever client they work for, however long they were away."""

import numpy as np
import pytest
import torch

from fedmezo.core.directions import direction
from fedmezo.core.errors import ConfigurationError, MalformedError
from fedmezo.federation import node as node_module
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engines import node_server
from fedmezo.federation.engines.node_server import LoadedNode, NodeServer
from fedmezo.federation.engines.transport import Answered
from fedmezo.federation.messages import Message, Order, Reply, Task, pack_answer, unpack_order
from fedmezo.federation.node import Node, Stale
from fedmezo.training import LocalUpdate
from tests.federation.engines.alone import Alone
from tests.federation.test_communication import CLIENTS, NAME, STEPS, a_round, aggregation, taking_part


def decoded(message: Message) -> Order:
    """Return an order as it is after its way as bytes."""
    return unpack_order(Message(bytes(message)))


def a_node(size: int, seen: list[torch.Tensor], *, in_place: bool = False) -> Node:
    def work(task: Task, parameters: torch.Tensor) -> Reply:
        seen.append(parameters.clone())
        return Reply(task, pack_answer(NAME, task, LocalUpdate(1.0, 1, 0, gradients=np.zeros((1, 1), np.float32))), 0.0)

    return Node(Alone(work), NAME, aggregation(size), direction(1, 0, size), in_place)


@pytest.mark.parametrize("size", [40, 4000])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("workers", [1, 2, CLIENTS])
def test_clients_may_be_worked_for_by_any_node(size: int, in_place: bool, workers: int) -> None:
    """As in the simulation: a client's next order may go to a process that lacks what its last one knew."""
    seen: list[torch.Tensor] = []
    nodes = [a_node(size, seen, in_place=in_place) for _ in range(workers)]
    folding, server, downlink = aggregation(size), direction(1, 0, size), Downlink(NAME, size, scalars=True)
    draw, stale = np.random.default_rng(0), 0
    for index in range(12):
        record = a_round(index, taking_part(index))
        for row in record.clients:
            task, node = Task(index, row.client, 0.1, STEPS), nodes[draw.integers(workers)]
            found = node(decoded(downlink.order(task, server)))
            if isinstance(found, Stale):
                stale += 1
                found = node(decoded(downlink.order(task, server, found.rounds)))
            assert isinstance(found, Reply) and found.task == task
            assert torch.equal(seen[-1], server) and torch.equal(node.parameters, server)
        downlink.observe(record)
        server = folding.apply(record, server)[0]
    assert (stale > 0) == (workers > 1)


def test_a_node_from_the_beginning_of_a_run_catches_up_in_one_order() -> None:
    seen: list[torch.Tensor] = []
    folding, server, downlink = aggregation(4000), direction(1, 0, 4000), Downlink(NAME, 4000, scalars=True)
    for index in range(5):
        record = a_round(index, (0, 1))
        downlink.observe(record)
        server = folding.apply(record, server)[0]
    node, task = a_node(4000, seen), Task(5, 0, 0.1, STEPS)
    assert node(decoded(downlink.order(task, server))) == Stale(0)
    assert isinstance(node(decoded(downlink.order(task, server, 0))), Reply)
    assert torch.equal(seen[-1], server) and node.rounds == 5
    assert isinstance(node(decoded(downlink.order(task, server))), Reply)  # asked again: nothing to catch up with
    first = Downlink(NAME, 4000, scalars=True).order(Task(0, 0, 0.1, STEPS), server)
    assert node(decoded(first)) == Stale(5)  # an order that is long over


def test_where_weights_travel_an_order_brings_them() -> None:
    seen: list[torch.Tensor] = []
    node, downlink = a_node(40, seen), Downlink(NAME, 40, scalars=False)
    server = direction(2, 0, 40)
    assert isinstance(node(decoded(downlink.order(Task(0, 0, 0.1, STEPS), server))), Reply)
    assert torch.equal(seen[-1], server)


def test_orders_of_other_runs_and_nonsense_are_refused() -> None:
    node = a_node(40, [])
    with pytest.raises(ConfigurationError, match="another configuration, model or starting point"):
        node(decoded(Downlink(b"another!", 40, scalars=True).order(Task(0, 0, 0.1, 1), torch.zeros(40))))
    with pytest.raises(MalformedError):
        decoded(Message(b"nonsense"))


def test_an_order_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else there would be two copies of all parameters where they travel."""
    decodings: list[Message] = []

    def counted(message: Message) -> Order:
        decodings.append(message)
        return unpack_order(message)

    for module in (node_server, node_module):
        if hasattr(module, "unpack_order"):
            monkeypatch.setattr(module, "unpack_order", counted)
    server = NodeServer(lambda: LoadedNode(a_node(40, [])))
    order = Downlink(NAME, 40, scalars=False).order(Task(0, 0, 0.1, STEPS), torch.zeros(40))
    assert isinstance(server("run", 0, Message(bytes(order))), Answered) and len(decodings) == 1
