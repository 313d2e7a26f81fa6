"""Who cannot join a federation with TLS and node authentication, and that its run does not mind."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo import node
from fedmezo.federation.engines import flower_node
from fedmezo.main import main
from tests.certificates import make_certificates
from tests.federation.engines.loopback import Loopback
from tests.test_main import Run, same, train

Write = Callable[..., Path]
CLAIMANT, STRANGER = 1, 2  # their keys: registered, but no client's; not registered
NO_SECRET = "it refuses the run: [code: 1008] Authentication failed. engine.secret must be"
KEY_OF_ANOTHER = "a node says that it works for client 0, but its key is not that client's; it is refused"


def refused_node(deployment: Loopback, *options: str) -> int:
    """Return how a node ends, run in this process: it has loaded model and data when it is refused."""
    where = ["--cfg", str(deployment.cfg), "--superlink", deployment.address, "--client", "0"]
    return node.main([*where, *options])


def refused_server(deployment: Loopback, *overrides: str) -> int:
    """Return how a server ends, run in this process."""
    out = ["outdir", str(deployment.folder / "refused"), "engine.type", "flower", "engine.superlink"]
    return main(["--cfg", str(deployment.cfg), *out, deployment.address, *overrides])


@pytest.mark.integration
def test_only_registered_keys_join_and_a_run_goes_on(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deployment for all, as a SuperLink takes seconds to start."""
    own, foreign = tmp_path / "certificates", tmp_path / "foreign"
    assert make_certificates(str(own), "--nodes", "3") == make_certificates(str(foreign), "--nodes", "1") == 0
    keys = [str(own / "node0.pub")]
    path = tiny_yaml(federate={"client_num": 1})
    with Loopback(tmp_path, path, own) as deployment:
        deployment.superlink()
        deployment.register(0, CLAIMANT)
        deployment.node(0, name="claimant", key=f"node{CLAIMANT}")
        deployment.start("plaintext", plaintext_node(deployment))
        deployment.node(0)
        local = train(path, "local")
        monkeypatch.setattr(flower_node, "PATIENCE", 1.0)
        refuse_in_this_process(deployment, foreign, capsys)

        deployment.said("claimant", "connected to")
        deployment.start("server", deployment.server_command("expname", "deployed", "engine.keys", str(keys)))
        assert deployment.processes["server"].wait(90) == 0, deployment.log("server")
        assert KEY_OF_ANOTHER in deployment.log("server")

        said = deployment.log("plaintext")
        assert said.count("it may want TLS (--root-certificates); trying again") == 1 and "connected to" not in said
        deployment.kill("plaintext", 15)
        assert deployment.log("plaintext").endswith("left\n") and "Traceback" not in deployment.log("plaintext")
    run = Run(tmp_path / "runs" / "deployed")
    assert same(run, local)


def plaintext_node(deployment: Loopback) -> list[str]:
    """Return the command of a node that does not know of TLS."""
    return Loopback(deployment.folder, deployment.cfg, port=deployment.port).node_command(0)


def refuse_in_this_process(deployment: Loopback, foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes and servers that end at once, each with one message."""
    own = deployment.certificates
    assert own is not None
    trusted, key = ("--root-certificates", str(own / "ca.crt")), ("--key", str(own / "node0"))
    stranger = ("--key", str(own / f"node{STRANGER}"))
    nodes: list[tuple[tuple[str, ...], str]] = [
        ((*trusted, *stranger), "[code: 2004] Failed to activate SuperNode. Its key is not registered"),
        (trusted, "it refuses this node: [code: 2001] SuperNode authentication is enabled"),
        (("--root-certificates", str(foreign / "ca.crt"), *key), "no secure connection: [SSL: CERTIFICATE_VERIFY"),
    ]
    for options, message in nodes:
        capsys.readouterr()
        assert refused_node(deployment, *options) == 3, options
        assert message in one_message(capsys)
    roots, secret = ("engine.root_certificates", str(own / "ca.crt")), ("engine.secret", str(own / "secret"))
    servers: list[tuple[tuple[str, ...], str]] = [
        (roots, NO_SECRET),
        ((*roots, "engine.secret", str(foreign / "secret")), NO_SECRET),
        (("engine.root_certificates", str(foreign / "ca.crt"), *secret), "cannot be reached: [SSL: CERTIFICATE_VERIFY"),
    ]
    for overrides, message in servers:
        capsys.readouterr()
        assert refused_server(deployment, *overrides) == 3, overrides
        assert message in one_message(capsys)


def one_message(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was said, having made sure that it is one message."""
    said = capsys.readouterr().err
    assert said.count("fedmezo: ") == 1 and "Traceback" not in said, said
    return said


@pytest.mark.integration
def test_a_cut_connection_is_opened_again(tiny_yaml: Write, tmp_path: Path) -> None:
    """A SuperLink that is killed, or a proxy that is restarted, may end a connection before TLS has begun."""
    assert make_certificates(str(tmp_path / "certificates"), "--nodes", "1") == 0
    with Loopback(tmp_path, tiny_yaml(), tmp_path / "certificates") as deployment, socket.socket() as listener:
        listener.bind(("127.0.0.1", deployment.port))
        listener.listen()
        deployment.node(0)
        for _ in range(2):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.shutdown(socket.SHUT_WR)
            connection.close()
        deployment.said("node0", f"nothing answers at {deployment.address}; trying again")
        deployment.kill("node0", 15)
        assert deployment.log("node0").endswith("left\n")
