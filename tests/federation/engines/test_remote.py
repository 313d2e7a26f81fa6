"""Nodes that are slow, gone, replaced, refused or stale."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Failure
from fedmezo.federation.engines import membership as membership_module
from fedmezo.federation.engines.membership import Membership
from fedmezo.federation.engines.remote import STALE_LIMIT, RemoteEngine
from fedmezo.federation.engines.transport import (
    Answered,
    Failed,
    HandshakeRequest,
    HandshakeResponse,
    Lost,
    NodeInfo,
    Request,
    Response,
)
from fedmezo.federation.handshake import Handshake
from fedmezo.federation.messages import Message, Order, Plan, Reply, Task, pack_answer, unpack_order
from fedmezo.federation.node import Stale
from fedmezo.ledger.records import ClientRecord, RoundRecord
from fedmezo.training import LocalUpdate
from tests.federation.engines.alone import replies
from tests.federation.engines.direct import DirectTransport

NAME = b"identity"
START = torch.zeros(3)
OWN = Handshake(-1, {"zo.mu": 0.001}, dict.fromkeys(("model", "parameters", "initial"), "00"), 1)
Answer = Callable[[Request], Response | None]


def plan(round_index: int, *clients: int) -> Plan:
    return Plan(round_index, tuple(Task(round_index, client, 0.1, 1) for client in clients))


def working(client: int, handshake: str = "", seconds: float = 0.25) -> Answer:
    """A node that does what it is asked."""

    def answer(request: Request) -> Response:
        if isinstance(request, HandshakeRequest):
            return HandshakeResponse(client, handshake)
        task = unpack_order(request).task
        update = LocalUpdate(0.5, 2, 0, gradients=np.full((1, 1), client, dtype=np.float32))
        return Answered(Message(bytes(pack_answer(NAME, task, update))), seconds)

    return answer


def silent(client: int) -> Answer:
    """A node that says who it is, and then nothing."""
    return lambda request: HandshakeResponse(client, "") if isinstance(request, HandshakeRequest) else None


def engine(transport: DirectTransport, **changes: float) -> RemoteEngine:
    options = {"timeout": 5.0, "wait": 5.0, "poll": 0.001, "window": 9} | changes
    return RemoteEngine(
        transport,
        Membership(transport, None, refresh=0.0),
        Downlink(NAME, 3, scalars=False),
        lambda loss: None,
        options["timeout"],
        options["wait"],
        options["poll"],
        int(options["window"]),
    )


def test_answers_are_put_into_client_order_and_carry_the_nodes_seconds() -> None:
    transport = DirectTransport({7: working(2, seconds=2.0), 8: working(0, seconds=0.0), 9: working(1, seconds=1.0)})
    found = replies(engine(transport).run(plan(0, 0, 1, 2), START))
    assert [(reply.task.client, reply.seconds) for reply in found] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_no_more_tasks_are_given_than_the_window_allows() -> None:
    transport = DirectTransport({node: working(node) for node in range(6)})
    results = engine(transport, window=2).run(plan(0, *range(6)), START)
    for done in range(1, 7):
        next(results)
        orders = [request for _, request in transport.sent if not isinstance(request, HandshakeRequest)]
        assert len(orders) == min(6, done + 1)


def test_every_local_step_is_shown() -> None:
    shown: list[float] = []
    made = replace(engine(DirectTransport({0: working(0)})), on_step=shown.append)
    list(made.run(Plan(0, (Task(0, 0, 0.1, 3),)), START))
    assert shown == [0.5] * 3


def test_a_node_that_does_not_answer_is_given_up_and_the_others_count() -> None:
    transport = DirectTransport({0: working(0), 1: silent(1), 2: working(2)})
    first, second, third = engine(transport, timeout=0.05).run(plan(3, 0, 1, 2), START)
    assert isinstance(first, Reply) and isinstance(third, Reply)
    assert isinstance(second, Failure) and second.late
    assert second.message == "round 3, client 1: no answer within 0.05 s"


def test_an_answer_that_comes_in_a_later_round_is_not_taken_for_that_rounds() -> None:
    transport = DirectTransport({0: silent(0)})
    made = engine(transport, timeout=0.02)
    (late,) = made.run(plan(0, 0), START)
    assert isinstance(late, Failure)
    transport.answers[0] = working(0)  # answers what it was sent, old requests too
    (reply,) = replies(made.run(plan(1, 0), START))
    assert reply.task.round_index == 1
    assert unpack_order_of(transport, -1).task.round_index == 1


def unpack_order_of(transport: DirectTransport, index: int) -> Order:
    request = [request for _, request in transport.sent if isinstance(request, Message)][index]
    return unpack_order(request)


def test_a_client_without_a_node_is_waited_for_once() -> None:
    transport = DirectTransport({0: working(0)})
    made = engine(transport, wait=0.1)
    started = time.monotonic()
    _, missing = made.run(plan(0, 0, 1), START)
    waited = time.monotonic() - started
    assert isinstance(missing, Failure) and missing.late
    assert missing.message == "round 0, client 1: no node works for this client"
    started = time.monotonic()
    list(made.run(plan(1, 0, 1), START))
    assert time.monotonic() - started < waited / 2  # known to be absent
    transport.answers[1] = working(1)
    list(made.run(plan(2, 0, 1), START))  # noticed, perhaps too late for this round
    assert len(replies(made.run(plan(3, 0, 1), START))) == 2


def test_a_node_that_takes_anothers_place_gets_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    transport = DirectTransport({0: silent(0)})
    made = engine(transport)

    def then(request: Request) -> Response | None:
        transport.answers[1] = working(0)  # the same client, started again
        return HandshakeResponse(0, "") if isinstance(request, HandshakeRequest) else None

    transport.answers[0] = then
    (reply,) = replies(made.run(plan(0, 0), START))
    assert reply.task.client == 0
    assert [node for node, request in transport.sent if isinstance(request, Message)] == [0, 1]


def test_a_node_that_was_started_again_under_its_name_gets_its_order_again() -> None:
    """As one with a registered key is: what the process that died had taken is not sent to it twice by itself."""
    transport = DirectTransport({0: silent(0)}, {0: NodeInfo(since="noon")})
    made = engine(transport)

    def dies(request: Request) -> Response | None:
        if isinstance(request, HandshakeRequest):
            return HandshakeResponse(0, "")
        transport.answers[0], transport.present[0] = working(0), NodeInfo(since="one")
        transport.waiting.clear()  # nobody knows of the order any more
        return None

    transport.answers[0] = dies
    (reply,) = replies(made.run(plan(0, 0), START))
    assert reply.task.client == 0
    assert [type(request) for _, request in transport.sent] == [HandshakeRequest, Message, HandshakeRequest, Message]


def test_a_node_that_goes_away_with_an_order_is_waited_for() -> None:
    transport = DirectTransport({0: silent(0)})
    made = engine(transport, wait=0.05)

    def leaves(request: Request) -> Response | None:
        if isinstance(request, HandshakeRequest):
            return HandshakeResponse(0, "")
        del transport.answers[0]
        return None

    transport.answers[0] = leaves
    started = time.monotonic()
    (failed,) = made.run(plan(0, 0), START)
    assert isinstance(failed, Failure) and failed.late and 0.05 < time.monotonic() - started < 2.0
    assert failed.message == "round 0, client 0: no node works for this client"


@pytest.mark.parametrize(
    ("response", "late", "message"),
    [
        (Failed("round 0, client 0: ValueError: no"), False, "round 0, client 0: ValueError: no"),
        (Lost("Flower reports error 5: Node Unavailable"), True, "round 0, client 0: Flower reports error 5: Node"),
        (HandshakeResponse(0, ""), False, "round 0, client 0: its node answers something else"),
    ],
)
def test_a_failure_is_told_and_its_node_asked_anew(response: Response, late: bool, message: str) -> None:
    transport = DirectTransport(
        {0: lambda request: HandshakeResponse(0, "") if isinstance(request, HandshakeRequest) else response}
    )
    made = engine(transport)
    (failed,) = made.run(plan(0, 0), START)
    assert isinstance(failed, Failure) and failed.late == late and failed.message.startswith(message)
    transport.answers[0] = working(0)
    assert len(replies(made.run(plan(0, 0), START))) == 1
    assert sum(isinstance(request, HandshakeRequest) for _, request in transport.sent) == 2


def test_a_stale_node_is_sent_what_it_lacks_and_at_last_the_parameters() -> None:
    asked: list[int] = []

    def stale(request: Request) -> Response | None:
        if isinstance(request, HandshakeRequest):
            return HandshakeResponse(0, "")
        order = unpack_order(request)
        asked.append(-1 if order.parameters is not None else order.first)
        return working(0)(request) if order.parameters is not None else Stale(max(0, 2 - len(asked)))

    made = engine(DirectTransport({0: stale}))
    made.downlink = Downlink(NAME, 10_000, scalars=True)
    for index in range(4):
        row = ClientRecord(0, 0.1, 2, 2, 0.5, gradients=np.ones((1, 1), dtype=np.float32))
        made.downlink.observe(RoundRecord(index, (row,)))
    assert len(replies(made.run(plan(4, 0), START))) == 1
    assert asked == [3, 1, 0, -1] and len(asked) == STALE_LIMIT + 1


def members(own: Handshake, keys: dict[int, bytes] | None = None, **nodes: Handshake) -> Membership:
    transport = DirectTransport({int(name[1:]): working(each.client, each.pack()) for name, each in nodes.items()})
    transport.present = {node: NodeInfo(bytes([node])) for node in transport.answers}
    found = Membership(transport, own, keys, refresh=0.0)
    for _ in range(2):
        found.refresh()
    return found


def node(membership: Membership, client: int) -> int | None:
    session = membership.node(client)
    return None if session is None else session.node


def test_nodes_with_the_servers_configuration_are_taken() -> None:
    found = members(OWN, n5=replace(OWN, client=1), n6=replace(OWN, client=0))
    assert (node(found, 0), node(found, 1), node(found, 2)) == (6, 5, None)


def test_a_node_with_another_configuration_is_refused_and_the_keys_are_named() -> None:
    other = replace(OWN, client=1, configuration={"zo.mu": 0.1, "train.compile": True})
    found = members(OWN, n5=other)
    assert node(found, 1) is None
    assert found.reasons(1) == [
        "the node of client 1 works on something else and is refused:"
        "\n    train.compile = true (here: null)\n    zo.mu = 0.1 (here: 0.001)"
    ]


@pytest.mark.parametrize(
    ("name", "word"),
    [("model", "base model"), ("initial", "starting point"), ("parameters", "names and shapes")],
)
def test_a_node_with_another_model_is_refused(name: str, word: str) -> None:
    found = members(OWN, n5=replace(OWN, client=1, hashes={**OWN.hashes, name: "11"}))
    assert node(found, 1) is None and f"another {word}" in found.reasons(1)[0]


def test_a_node_with_other_data_is_refused_unless_they_are_its_own() -> None:
    own = replace(OWN, hashes={**OWN.hashes, "partition": "00", "data": "00"})
    assert node(members(own, n5=replace(OWN, client=1)), 1) == 5
    wrong = replace(own, client=1, hashes={**own.hashes, "partition": "22"})
    found = members(own, n5=wrong)
    assert node(found, 1) is None and "another division of the data among clients" in found.reasons(1)[0]


def test_only_the_holder_of_a_clients_key_works_for_it() -> None:
    keys = {0: bytes([5]), 1: bytes([6])}
    found = members(OWN, keys, n5=replace(OWN, client=1), n6=replace(OWN, client=1))
    assert node(found, 1) == 6 and node(found, 0) is None
    assert "its key is not that client's" in found.reasons(1)[0]


def test_whoever_says_nonsense_is_refused() -> None:
    transport = DirectTransport({0: lambda request: HandshakeResponse(0, '{"client": "me"}')})
    found = Membership(transport, OWN, refresh=0.0)
    found.refresh()
    assert node(found, 0) is None and "no handshake" in found.reasons(0)[0]


def test_a_refused_node_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership_module, "AGAIN", 0.0)
    transport = DirectTransport({0: working(1, replace(OWN, client=1, configuration={}).pack())})
    found = Membership(transport, OWN, refresh=0.0)
    found.refresh()
    assert node(found, 1) is None
    transport.answers[0] = working(1, replace(OWN, client=1).pack())  # mended, and back under the same key
    found.refresh()
    assert node(found, 1) == 0 and found.reasons(1) == []


def test_a_node_that_is_gone_works_for_nobody() -> None:
    transport = DirectTransport({0: working(0)})
    found = Membership(transport, None, refresh=0.0)
    found.refresh()
    assert node(found, 0) == 0
    del transport.answers[0]
    found.refresh()
    assert node(found, 0) is None


def test_other_numbers_of_threads_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "fedmezo"):
        assert node(members(OWN, n5=replace(OWN, client=0, threads=8)), 0) == 5
    assert "computes on 8 threads, and this process on 1" in caplog.text
