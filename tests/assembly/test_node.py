"""What a node loads, and whether the server takes it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.assembly.identity import handshake
from fedmezo.assembly.node import assemble_node
from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.engines.membership import Membership
from fedmezo.federation.engines.node_server import NodeServer
from fedmezo.federation.engines.remote import RemoteEngine
from fedmezo.federation.engines.transport import Answered, HandshakeRequest, HandshakeResponse
from fedmezo.federation.handshake import unpack_handshake
from fedmezo.federation.messages import Task
from fedmezo.ledger.records import Rejection
from tests.federation.engines.alone import replies
from tests.federation.engines.direct import DirectTransport

Write = Callable[..., Path]


def mismatches(server: Path, node: Path, client: int = 1, *, own_data: bool = False) -> list[str]:
    cfg = config.load(server)
    own = handshake(assemble_federation(cfg, assemble_learning_task(cfg)).header)
    equipped = assemble_node(config.load(node), client, own_data=own_data)
    assert equipped.handshake is not None and equipped.handshake.client == client
    return own.mismatches(unpack_handshake(equipped.handshake.pack()))


def copied(path: Path) -> Path:
    other = path.with_name("other.yaml")
    other.write_text(path.read_text())
    return other


def test_a_node_with_the_servers_file_is_taken(tiny_yaml: Write) -> None:
    path = tiny_yaml()
    assert mismatches(path, path) == []


@pytest.mark.parametrize(
    "sections",
    [
        {"eval": {"freq": 1}, "verbose": 2, "early_stop": {"patience": 1}},
        {"federate": {"client_num": 3, "total_round_num": 9, "sample_client_num": 2, "save_freq": 1}},
        {"wandb": {"use": True}, "federate": {"client_num": 3, "save_to": "nowhere"}},
        {"engine": {"threads": 1, "type": "flower", "superlink": "127.0.0.1:1"}},
    ],
)
def test_what_only_the_server_does_may_differ(tiny_yaml: Write, sections: dict[str, object]) -> None:
    node = copied(tiny_yaml(**sections))
    assert mismatches(tiny_yaml(), node) == []


def test_other_keys_are_named_with_both_values(tiny_yaml: Write) -> None:
    node = copied(tiny_yaml(zo={"mu": 0.25}, dataloader={"batch_size": 3}))
    assert mismatches(tiny_yaml(), node) == ["dataloader.batch_size = 3 (here: 2)", "zo.mu = 0.25 (here: 0.005)"]


def test_another_seed_is_named(tiny_yaml: Write) -> None:
    node = copied(tiny_yaml(seed=7))
    assert mismatches(tiny_yaml(), node) == ["seed = 7 (here: 0)"]


def test_other_data_are_refused_unless_they_are_its_own(tiny_yaml: Write) -> None:
    node = copied(tiny_yaml(data={"type": "arithmetic@llm", "num_examples": 90, "splits": [0.8, 0.1, 0.1]}))
    server = tiny_yaml()
    assert mismatches(server, node) == ["data.num_examples = 90 (here: 60)"]
    assert mismatches(server, node, own_data=True) == []


def test_a_node_with_data_of_its_own_has_no_objection_to_the_servers(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml())
    server = handshake(assemble_federation(cfg, assemble_learning_task(cfg)).header)
    node = config.load(copied(tiny_yaml(data={"type": "arithmetic@llm", "num_examples": 90})))
    own = assemble_node(node, 1, own_data=True).handshake
    assert own is not None and own.mismatches(server) == []


@pytest.mark.parametrize("section", [{"train": {"batch_or_epoch": "epoch"}}, {"federate": {"weight_by": "dataset"}}])
def test_own_data_whose_number_the_server_would_need_are_refused(tiny_yaml: Write, section: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="the server cannot know"):
        assemble_node(config.load(tiny_yaml(**section)), 0, own_data=True)


def test_nodes_with_data_of_their_own_train_on_them(tiny_yaml: Write) -> None:
    """Two nodes hold other data than the server; the third has its part of the server's division."""
    alone = config.load(copied(tiny_yaml(data={"type": "arithmetic@llm", "num_examples": 30})))
    cfg = config.load(tiny_yaml())
    task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, task)
    makers = {0: (alone, True), 1: (cfg, False), 2: (alone, True)}
    servers = {
        client: NodeServer(lambda own=own, client=client: assemble_node(own[0], client, own_data=own[1]))  # type: ignore[misc]
        for client, own in makers.items()
    }
    post = DirectTransport(
        {client: lambda request, client=client: servers[client]("run", client, request) for client in servers}  # type: ignore[misc]
    )
    own = handshake(federation.header)
    engine = RemoteEngine(post, Membership(post, own), federation.downlink, lambda loss: None, 60.0, 60.0, 0.01, 3)
    found = replies(engine.run(federation.server.plan(0), task.start))
    assert not any(isinstance(federation.server.validation(reply), Rejection) for reply in found)
    local = replies(federation.engine.run(federation.server.plan(0), task.start))
    equal = [bytes(one.message) == bytes(other.message) for one, other in zip(found, local, strict=True)]
    assert equal == [False, True, False]


def test_a_node_introduces_itself_only_where_it_is_asked_to(tiny_yaml: Write) -> None:
    server = NodeServer(lambda: assemble_node(config.load(tiny_yaml()), 2))
    assert server(1, 5, HandshakeRequest("")) == HandshakeResponse(5, "")
    own = server(1, 2, HandshakeRequest(assemble_node(config.load(tiny_yaml()), 2).handshake.pack()))  # type: ignore[union-attr]
    assert isinstance(own, HandshakeResponse) and own.client == 2 and own.handshake


def test_the_next_run_begins_anew(tiny_yaml: Write) -> None:
    made: list[int] = []
    cfg = config.load(tiny_yaml())

    def make() -> object:
        made.append(1)
        return assemble_node(cfg, 0)

    federation = assemble_federation(cfg, assemble_learning_task(cfg))
    server = NodeServer(make)  # type: ignore[arg-type]
    order = federation.downlink.order(Task(0, 0, 0.01, 2), federation.server.parameters)
    answers = [server(run, 0, order) for run in (1, 1, 2)]
    assert all(isinstance(each, Answered) for each in answers) and len(made) == 2
    assert len({bytes(each.message) for each in answers if isinstance(each, Answered)}) == 1
