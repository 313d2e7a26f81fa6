"""The node of a deployment: its connection to the SuperLink, and the answers to what comes over it.

A stock ``flower-supernode`` starts a Python process for every message, which imports torch and loads the model. Ours
speaks the same protocol (the Fleet API, over HTTP, every request signed with the node's key), but keeps the model
loaded and executes no code that it is sent.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from fedmezo.core.errors import ResourceError
from fedmezo.core.log import LOG
from fedmezo.federation.engines.flower_internals import (
    HEARTBEAT_DEFAULT_INTERVAL,
    SHORTEST,
    ActivateNodeRequest,
    Context,
    DeactivateNodeRequest,
    Envelope,
    FleetHttpClient,
    HeartbeatSender,
    NodeAuthHttpInterceptor,
    ObjectTree,
    ProtoNode,
    PullMessagesRequest,
    PushMessagesRequest,
    RecordDict,
    RegisterNodeFleetRequest,
    RuntimeVersionHttpInterceptor,
    SendNodeHeartbeatRequest,
    UnregisterNodeFleetRequest,
    generate_key_pairs,
    get_all_nested_objects,
    get_object_tree,
    httpx,
    identified,
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
    message_from_proto,
    message_to_proto,
    no_object_id_recompute,
    public_key_to_bytes,
    pull_and_inflate_object_from_tree,
    push_objects,
    read_private_key,
    remove_content_from_message,
    said,
    trusting,
)

R = TypeVar("R")
NOT_ACTIVATED = 2004  # its key is not registered, or the SuperLink has not yet noticed that the node was gone
PATIENCE = 75.0  # seconds after which it has noticed: two heartbeats of 30 s, and some
HOPELESS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")  # of what TLS complains of; a cut is none of them
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
GROWTH, LONGEST = 1.3, 30.0  # how the time between attempts grows, and its largest in seconds


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
        with trusting("--root-certificates", root_certificates) as certificates:
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
        return identified(message, tree.object_id)

    def send(self, reply: Envelope, seconds: float) -> None:
        """Send an answer."""
        run = reply.metadata.run_id
        identified(reply, reply.object_id)
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
        """Call the SuperLink until it answers; ``again``: codes of Flower's errors to wait for the end of.

        What keeps it from answering is said once, also where two reasons take turns.
        """
        wait, began, told = 0.5, time.monotonic(), set[str]()
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
                reason = said(error)
                waiting = any(f"code: {code}" in reason for code in again)
                if waiting:
                    reason += " Its key is not registered, or another node holds it, or one did a minute ago"
                if error.response.status_code not in TRANSIENT and not (
                    waiting and time.monotonic() < began + PATIENCE
                ):
                    raise ResourceError(f"--superlink {self._where}\n    it refuses this node: {reason}") from error
            if reason not in told:
                LOG.warning(f"{reason}; trying again")
            told.add(reason)
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
    app: Callable[[Envelope, Context], Envelope],
    poll: float,
    stop: Callable[[], bool],
) -> None:
    """Answer the requests that come to a node, of one run after the other, until ``stop``.

    Args:
        superlink: of the connection (:class:`NodeConnection`).
        root_certificates: likewise.
        private_key: likewise.
        app: answers a message (:func:`fedmezo.federation.engines.flower.client_app`).
        poll: seconds between two looks for requests where none has come for a while; at first it looks more often.
        stop: whether to end.

    Raises:
        ResourceError: the SuperLink refuses this node.
    """
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
