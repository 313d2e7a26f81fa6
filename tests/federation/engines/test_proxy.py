"""docs/nginx.conf: a node works through it, and nothing else of the SuperLink can be reached."""

import http.client
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from tests.conftest import REPOSITORY
from tests.federation.engines.loopback import Loopback, free_port, listens
from tests.test_main import Run, same, train

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIG = REPOSITORY / "docs" / "nginx.conf"
PIECE = 5 * 1024 * 1024  # bytes, in which Flower sends arrays

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def adapted(certificates: Path, superlink: int, port: int) -> str:
    """Return the configuration with this deployment's files and ports."""
    text = CONFIG.read_text(encoding="utf-8")
    for old, new in (
        ("/etc/federation/", f"{certificates}/"),
        ("127.0.0.1:9443", f"127.0.0.1:{superlink}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def status(certificates: Path, port: int, path: str, body: bytes = b"", method: str = "POST") -> int:
    """Return what is answered to a request, whose path is sent as it stands."""
    trust = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/x-protobuf"})
    return connection.getresponse().status


def test_a_node_works_through_it_and_the_rest_is_closed(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    assert make_certificates(str(tmp_path / "certificates"), "--nodes", "1") == 0
    path = tiny_yaml(federate={"client_num": 1})
    local = train(path, "local")
    with Loopback(tmp_path, path, tmp_path / "certificates") as deployment:
        assert NGINX is not None and deployment.certificates is not None
        certificates, port = deployment.certificates, free_port()
        deployment.superlink()
        deployment.register(0)
        (tmp_path / "nginx.conf").write_text(adapted(certificates, deployment.port, port), encoding="utf-8")
        # its workers are to read and write in this test's folder
        settings = f"daemon off; user root; pid {tmp_path}/nginx.pid;"
        deployment.start(
            "nginx", [NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr", "-g", settings]
        )
        deployment.until(lambda: listens(port), "nginx does not listen")
        through = Loopback(tmp_path, path, certificates, port=port)
        deployment.start("node0", through.node_command(0))
        deployment.start("server", deployment.server_command("expname", "deployed"))
        closed(certificates, deployment.port, port)
        assert deployment.processes["server"].wait(90) == 0, deployment.log("server")
        assert f"connected to 127.0.0.1:{port}" in deployment.log("node0")
        deployment.kill("node0", 15)
        deployment.kill("nginx", 15)
        assert deployment.log("node0").endswith("left\n")
    assert same(Run(tmp_path / "runs" / "deployed"), local)


def closed(certificates: Path, superlink: int, port: int) -> None:
    """Make sure of what the SuperLink answers itself, and the proxy does not let through."""
    for path in ("/v1/control/list-runs", "/v1/control/register-node", "/v1/runtime/acquire-task"):
        assert status(certificates, superlink, path) not in (403, 404), path
        assert status(certificates, port, path) == 404, path
    for path in (
        "/", "/health", "/docs", "/openapi.json", "/v1/fleet/", "/v1/fleet/../control/list-runs",
        "/v1/fleet/..%2fcontrol/list-runs", "/v1/fleet/%2e%2e/control/list-runs", "//v1/control/list-runs",
        "/v1/fleet/%252e%252e/control/list-runs", "/V1/control/list-runs", "/v1/fleet;/../control/list-runs",
    ):  # fmt: skip
        assert status(certificates, port, path) == 404, path
    assert status(certificates, port, "/v1/fleet/pull-messages", method="GET") == 403
    # a piece of an array and its envelope get to the SuperLink, which finds no signature
    for length in (0, PIECE + 65536):
        assert status(certificates, port, "/v1/fleet/push-object", bytes(length)) not in (403, 404, 413, 502), length
    assert status(certificates, port, "/v1/fleet/push-object", bytes(17 * 1024 * 1024)) == 413
