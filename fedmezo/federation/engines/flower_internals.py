"""A deployment's connections to the SuperLink, the long-lived node's and the server's; Flower's internals are all here.

A stock ``flower-supernode`` starts a Python process for every message, which imports torch and loads the model. Ours
speaks the same protocol (the Fleet API, over HTTP, every request signed with the node's key), but keeps the model
loaded and executes no code that it is sent. The server's rounds run in the server's own process, as the ServerApp of a
SuperLink with ``--isolation process``: a SuperLink that is killed does not take them with it.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.log import LOG
from fedmezo.federation.engines.flower import client_app
from fedmezo.federation.engines.transport import Request, Response

import httpx  # isort: skip - flwr's own client
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from flwr.app import Context, RecordDict
from flwr.app import Message as Envelope
from flwr.app.message import remove_content_from_message
from flwr.cli.build import build_fab_from_disk
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL, SubStatus
from flwr.common.serde import fab_to_proto, message_from_proto, message_to_proto, run_from_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
    RegisterNodeFleetRequest,
    UnregisterNodeFleetRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node as ProtoNode
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, PushTaskOutputRequest
from flwr.serverapp import Grid
from flwr.supercore.constant import TaskType
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.fab import Fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree, pull_objects, push_objects
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.primitives.asymmetric import generate_key_pairs, public_key_to_bytes
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import http_grid
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

R = TypeVar("R")
APP = Path(__file__).parents[2] / "commands" / "flower_app"
ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
NOT_ACTIVATED = 2004  # its key is not registered, or the SuperLink has not yet noticed that the node was gone
NO_SECRET = 1008
PATIENCE = 75.0  # seconds after which it has noticed: two heartbeats of 30 s, and some
HOPELESS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")  # of what TLS complains of; a cut is none of them
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
SHORTEST, GROWTH, LONGEST = 0.02, 1.3, 30.0  # seconds between attempts, and how it grows
OWN_RUN = 30.0  # seconds that the SuperLink has to hand the run to this process


class RunOverError(Exception):
    """The run that a message belongs to is no longer going on."""


class NodeConnection:
    """A node's connection to the SuperLink.

    Args:
        superlink: HOST:PORT.
        root_certificates: file of the certificates that the SuperLink's is checked against; None: no TLS.
        private_key: file of the node's key, in OpenSSH's format; None: a new one, which the SuperLink must not ask for.
        stop: whether to give up.
    """

    def __init__(
        self, superlink: str, root_certificates: Path | None, private_key: Path | None, stop: Callable[[], bool]
    ) -> None:
        self._stop = stop
        self._own_key = private_key is not None
        keys = generate_key_pairs() if private_key is None else read_private_key(private_key)
        self._public_key = public_key_to_bytes(keys[1])
        self._plain = root_certificates is None
        with _trusting("--root-certificates", root_certificates) as certificates:
            self._client = FleetHttpClient.from_server_address(
                superlink,
                self._plain,
                certificates,
                [RuntimeVersionHttpInterceptor(component_name="SuperNode"), NodeAuthHttpInterceptor(*keys)],
            )
        self._where = superlink
        self._node = ProtoNode()
        self._lost = threading.Event()
        self._heard = False  # an answer in this way of speaking

    @contextmanager
    def active(self) -> Iterator[None]:
        """Be one of the SuperLink's nodes inside the block.

        Raises:
            ResourceError: the SuperLink refuses this node.
        """
        if not self._own_key:
            self._call(self._client.RegisterNode, RegisterNodeFleetRequest(public_key=self._public_key))
        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL)
        self._node = ProtoNode(node_id=self._call(self._client.ActivateNode, request, (NOT_ACTIVATED,)).node_id)
        heart = HeartbeatSender(self._beat)
        heart.start()
        try:
            yield
        finally:
            with suppress(httpx.HTTPError, RuntimeError):
                heart.stop()
            with suppress(httpx.HTTPError, RuntimeError):
                self._client.DeactivateNode(DeactivateNodeRequest(node_id=self._node.node_id))
                if not self._own_key:
                    self._client.UnregisterNode(UnregisterNodeFleetRequest(node_id=self._node.node_id))

    def lost(self) -> bool:
        """Return whether the SuperLink does not know this node any more."""
        return self._lost.is_set()

    def receive(self) -> tuple[Envelope, ObjectTree] | None:
        """Return the head of a message that has come, and what it is made of."""
        response = self._call(self._client.PullMessages, PullMessagesRequest(node=self._node))
        if not response.messages_list:
            return None
        return message_from_proto(response.messages_list[0]), response.message_object_trees[0]

    def open(self, head: Envelope, tree: ObjectTree) -> Envelope:
        """Return the whole of a message."""
        run = head.metadata.run_id
        pull = make_pull_object_fn_protobuf(lambda each: self._call(self._client.PullObject, each), self._node, run)
        confirm = make_confirm_message_received_fn_protobuf(
            lambda each: self._call(self._client.ConfirmMessageReceived, each), self._node, run
        )
        message = pull_and_inflate_object_from_tree(tree, pull, confirm, return_type=Envelope, initial_backoff=SHORTEST)
        message.metadata.__dict__["_message_id"] = tree.object_id
        return message

    def send(self, reply: Envelope, seconds: float) -> None:
        """Send an answer."""
        run = reply.metadata.run_id
        reply.metadata.__dict__["_message_id"] = reply.object_id
        with no_object_id_recompute():
            response = self._call(
                self._client.PushMessages,
                PushMessagesRequest(
                    node=self._node,
                    messages_list=[message_to_proto(remove_content_from_message(reply))],
                    message_object_trees=[get_object_tree(reply)],
                    clientapp_runtime_list=[seconds],
                ),
            )
            push = make_push_object_fn_protobuf(
                lambda each: self._call(self._client.PushObject, each), self._node, run, response.session_id
            )
            push_objects(get_all_nested_objects(reply), push, object_ids_to_push=set(response.objects_to_push))

    def _beat(self) -> bool:
        try:
            response = self._client.SendNodeHeartbeat(
                SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL)
            )
        except httpx.HTTPError:
            return False  # tried again
        if not response.success:
            self._lost.set()
        return True

    def _call(self, method: Callable[[Any], R], request: Any, again: tuple[int, ...] = ()) -> R:
        """Call the SuperLink until it answers; ``again``: codes of Flower's errors to wait for the end of."""
        wait, said, began = 0.5, "", time.monotonic()
        while True:
            try:
                found = method(request)
                self._heard = True
                return found
            except httpx.TransportError as error:
                if any(word in str(error) for word in HOPELESS):
                    raise ResourceError(f"--superlink {self._where}\n    no secure connection: {error}") from error
                reason = f"nothing answers at {self._where}"
                if self._plain and not self._heard and isinstance(error, httpx.RemoteProtocolError):
                    reason = f"no answer in plain HTTP from {self._where}: it may want TLS (--root-certificates)"
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.FORBIDDEN and not again:
                    raise RunOverError from error
                reason = told(error)
                waiting = any(f"code: {code}" in reason for code in again)
                if waiting:
                    reason += " Its key is not registered, or another node holds it, or one did a minute ago"
                if error.response.status_code not in TRANSIENT and not (
                    waiting and time.monotonic() < began + PATIENCE
                ):
                    raise ResourceError(f"--superlink {self._where}\n    it refuses this node: {reason}") from error
            if reason != said:
                LOG.warning(f"{reason}; trying again")
            said = reason
            self._sleep(wait)
            wait = min(2 * wait, LONGEST)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._stop():
                raise KeyboardInterrupt
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))


def serve(
    superlink: str,
    root_certificates: Path | None,
    private_key: Path | None,
    answer: Callable[[int, Request], Response],
    poll: float,
    stop: Callable[[], bool],
) -> None:
    """Answer the letters that come to a node, of one run after the other, until ``stop``.

    Args:
        superlink: of the connection (:class:`NodeConnection`).
        root_certificates: likewise.
        private_key: likewise.
        answer: what to say to a letter of a run.
        poll: seconds between two looks for letters where none has come for a while; at first it looks more often.
        stop: whether to end.

    Raises:
        ResourceError: the SuperLink refuses this node.
    """
    app = client_app(lambda run, node, request: answer(run, request))
    with suppress(KeyboardInterrupt):
        while not stop():
            connection = NodeConnection(superlink, root_certificates, private_key, stop)
            with connection.active():
                LOG.info(f"connected to {superlink}; waiting for work")
                _answer_all(connection, app, poll, stop)


def _answer_all(connection: NodeConnection, app: Any, poll: float, stop: Callable[[], bool]) -> None:
    wait = SHORTEST
    while not (stop() or connection.lost()):
        try:
            received = connection.receive()
            if received is None:
                time.sleep(wait)
                wait = min(GROWTH * wait, poll)
                continue
            started, envelope = time.perf_counter(), connection.open(*received)
            context = Context(envelope.metadata.run_id, 0, {}, RecordDict(), {})
            connection.send(app(envelope, context), time.perf_counter() - started)
        except RunOverError:
            LOG.info("the run is over")
        wait = SHORTEST


@contextmanager
def served_grid(superlink: str, root_certificates: Path | None, secret: Path | None) -> Iterator[Grid]:
    """Open a run at a SuperLink, and give the grid that its ServerApp is to use: this process is the ServerApp.

    Args:
        superlink: HOST:PORT.
        root_certificates: file of the certificates that the SuperLink's is checked against; None: no TLS.
        secret: file of the secret that lets this process take the run; None: none is asked for.

    Raises:
        ResourceError: the SuperLink cannot be reached, refuses, or has given the run to another process.
    """
    plain = root_certificates is None
    with _trusting("engine.root_certificates", root_certificates) as certificates, _told_of(superlink):
        run, token = _acquired(superlink, plain, certificates, secret)
    grid = http_grid.HttpGrid(superlink, plain, certificates, token=token)
    runtime = grid._runtime_client
    heart = HeartbeatSender(make_task_heartbeat_fn_http(runtime))
    heart.start()
    given = runtime.PullTaskInput(PullTaskInputRequest())
    TaskIdentity.task_id, TaskIdentity.run_id = given.task_id, run
    TaskIdentity.node_id = given.context.node_id
    grid.set_run(run_from_proto(given.run))
    status = SubStatus.FAILED
    try:
        with _looking_again_soon():
            yield grid
        status = SubStatus.COMPLETED
    finally:
        heart.stop()
        with suppress(httpx.HTTPError, RuntimeError):
            runtime.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=""))
        grid.close()


@contextmanager
def _looking_again_soon() -> Iterator[None]:
    """Have a grid look again soon for an answer that is not there as a whole: Flower waits a second."""
    http_grid.pull_objects = partial(pull_objects, initial_backoff=SHORTEST)
    try:
        yield
    finally:
        http_grid.pull_objects = pull_objects


def _acquired(superlink: str, plain: bool, certificates: bytes | None, secret: Path | None) -> tuple[int, str]:
    """Return a new run and the token of its ServerApp."""
    version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
    with ControlHttpClient.from_server_address(superlink, plain, certificates, [version]) as control:
        data = build_fab_from_disk(APP)
        control.StartRun(StartRunRequest(fab=fab_to_proto(Fab("", data, {}))))
    interceptors: list[Any] = [RuntimeVersionHttpInterceptor(component_name="SuperExec")]
    if secret is not None:
        interceptors.append(
            SuperExecAuthHttpInterceptor(master_secret=secret.read_bytes(), protected_methods=[ACQUIRE])
        )
    with RuntimeHttpClient.from_server_address(superlink, plain, certificates, interceptors) as runtime:
        until = time.monotonic() + OWN_RUN
        while time.monotonic() < until:
            found = runtime.AcquireTask(AcquireTaskRequest(supported_task_types={TaskType.SERVER_APP}))
            if found.HasField("task") and found.token:
                # perhaps of another server that has started one now: all are alike
                return found.task.run_id, found.token
            time.sleep(0.1)
    raise ResourceError(
        f"engine.superlink = {superlink}\n    it has not given the run to this process: "
        "start it with --isolation process"
    )


@contextmanager
def _trusting(option: str, path: Path | None) -> Iterator[bytes | None]:
    """Give the certificates of a file, and have an error in them name the option."""
    try:
        yield None if path is None else path.read_bytes()
    except ssl.SSLError as error:
        raise ConfigurationError(f"{option} {path}\n    expected certificates in PEM: {error}") from error


@contextmanager
def _told_of(superlink: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        reason = told(error)
        if f"code: {NO_SECRET}" in reason:
            reason += " engine.secret must be the file of its --superexec-auth-secret-file"
        raise ResourceError(f"engine.superlink = {superlink}\n    it refuses the run: {reason}") from error
    except httpx.TransportError as error:
        hint = "; it may want TLS (engine.root_certificates)" if isinstance(error, httpx.RemoteProtocolError) else ""
        raise ResourceError(f"engine.superlink = {superlink}\n    it cannot be reached: {error}{hint}") from error


def told(error: httpx.HTTPStatusError) -> str:
    """Return what the SuperLink says of an error."""
    found = FlowerError.from_json(error.response.text)
    return f"[code: {found.code}] {found.message}" if found else str(error).splitlines()[0]


def read_private_key(path: Path) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey]:
    """Return a node's keys.

    Raises:
        ConfigurationError: the file holds none of the kind that Flower uses (ECDSA on a NIST curve).
    """
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"--key {path}\n    {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"--key {path}\n    expected a key as of scripts/make_certificates.py (ECDSA)")
    return key, key.public_key()


def read_public_key(data: bytes) -> bytes:
    """Return a public key as nodes are known by it.

    Raises:
        ValueError: it is none of that kind.
    """
    try:
        key: object = load_ssh_public_key(data)
    except UnsupportedAlgorithm:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("expected a public key as of scripts/make_certificates.py (ECDSA)")
    return bytes(public_key_to_bytes(key))


if __name__ == "__main__":
    from fedmezo.node import program

    program()
