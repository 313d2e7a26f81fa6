"""``flower_simulation`` and ``flower``: client work in other processes, carried by Flower (flower.ai).

Requests are Flower messages; what they say is as everywhere (:mod:`fedmezo.federation.messages`). Everything here is
Flower's public interface; a deployment's connections are in :mod:`.flower_node` and :mod:`.flower_server`.
"""

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self, TypeVar

from torch import Tensor

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.signals import leave_to_others, take_back
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Failure
from fedmezo.federation.engines import Resources, register
from fedmezo.federation.engines.membership import Membership
from fedmezo.federation.engines.node_server import LoadedNode, NodeServer
from fedmezo.federation.engines.remote import RemoteEngine
from fedmezo.federation.engines.transport import (
    Answered,
    Failed,
    HandshakeRequest,
    HandshakeResponse,
    Lost,
    NodeInfo,
    Request,
    Response,
    Transport,
)
from fedmezo.federation.handshake import Handshake
from fedmezo.federation.messages import Message, Plan, Reply
from fedmezo.federation.node import Stale

# Flower asks its makers' servers for news and counts its users, unless told not to before it is imported
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, RecordDict  # noqa: E402
from flwr.app import Message as Envelope  # noqa: E402
from flwr.clientapp import ClientApp  # noqa: E402
from flwr.serverapp import Grid, ServerApp  # noqa: E402

T = TypeVar("T")
HELD = 256 << 20  # bytes of parameters that may be under way at a time, where so few tasks keep the workers busy
FORWARD = "train"  # Flower's type of all our messages

SMALL: dict[str, tuple[Callable[..., Request | Response], dict[str, type]]] = {
    "HandshakeRequest": (HandshakeRequest, {"handshake": str}),
    "HandshakeResponse": (HandshakeResponse, {"client": int, "handshake": str}),
    "Stale": (Stale, {"rounds": int}),
    "Failed": (Failed, {"text": str, "exhausted": bool}),
}
_SERVERS: dict[str, NodeServer] = {}  # of this process, by simulation


def envelope_content(thing: Request | Response) -> RecordDict:
    """Return a request or an answer as Flower carries it: small things in one record, parameters as an array."""
    fields: dict[str, Any] = {"kind": type(thing).__name__}
    arrays = {}
    match thing:
        case Message() | Answered():
            message = thing if isinstance(thing, Message) else thing.message
            fields |= {"head": message.head} | ({"seconds": thing.seconds} if isinstance(thing, Answered) else {})
            if message.parameters is not None:
                data = message.parameters.tobytes()
                arrays["parameters"] = Array(dtype="uint8", shape=(len(data),), stype="raw", data=data)
        case _:
            fields |= vars(thing)
    content = RecordDict({"fields": ConfigRecord(fields)})
    if arrays:
        content["arrays"] = ArrayRecord(arrays)
    return content


def content_of(content: RecordDict) -> Request | Response:
    """Return the request or answer that Flower has carried; what is none is Lost."""
    try:
        fields: dict[str, Any] = dict(content["fields"])
        kind = fields.pop("kind")
        if kind in ("Message", "Answered"):
            message = Message(_typed(fields["head"], bytes), _parameters(content))
            return message if kind == "Message" else Answered(message, _typed(fields["seconds"], float))
        make, types = SMALL[kind]
        return make(**{name: _typed(value, types[name]) for name, value in fields.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Lost(f"its node has sent what is no message ({type(error).__name__})")


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} for {kind.__name__}")
    return value


def _parameters(content: RecordDict) -> memoryview | None:
    if "arrays" not in content:
        return None
    array = content["arrays"]["parameters"]
    if not isinstance(array, Array):
        raise TypeError("no array")
    return memoryview(array.data)


def client_app(answer: Callable[[int, Mapping[str, Any], Request], Response]) -> ClientApp:
    """Return Flower's client: it answers requests, as of (run, node configuration, request)."""
    app = ClientApp()

    def train(envelope: Envelope, context: Context) -> Envelope:
        request = content_of(envelope.content)
        if not isinstance(request, HandshakeRequest | Message):
            response: Response = Failed("the server has sent what is no request")
        else:
            response = answer(context.run_id, context.node_config, request)
        return Envelope(envelope_content(response), reply_to=envelope)

    app.train()(train)
    return app


class GridTransport:
    """Carries requests over a Flower grid.

    Args:
        grid: of the run.
        ttl: seconds after which a request that nobody has taken is dropped.
    """

    def __init__(self, grid: Grid, ttl: float) -> None:
        self._grid = grid
        self._ttl = ttl

    def nodes(self) -> Mapping[int, NodeInfo]:
        """Return the nodes that are connected."""
        found = self._grid.get_nodes()
        return {int(node.node_id): NodeInfo(bytes(node.public_key), str(node.last_activated_at)) for node in found}

    def send(self, node: int, request: Request) -> str:
        """Send a request and return its name."""
        (name,) = self._grid.push_messages([Envelope(envelope_content(request), node, FORWARD, ttl=self._ttl)])
        return name or ""

    def collect(self, names: Collection[str]) -> Iterator[tuple[str, Response]]:
        """Yield the answers that have arrived."""
        for envelope in self._grid.pull_messages([name for name in names if name]):
            yield envelope.metadata.reply_to_message_id, _response(envelope)
        yield from ((name, Lost("it could not be sent")) for name in names if not name)


def _response(envelope: Envelope) -> Response:
    if envelope.has_error():
        reason = (envelope.error.reason or "").strip().splitlines()
        return Lost(f"Flower reports error {envelope.error.code}: {reason[-1] if reason else 'no reason given'}")
    found = content_of(envelope.content)
    return (
        Lost("its node has sent a request instead of an answer")
        if isinstance(found, HandshakeRequest | Message)
        else found
    )


@dataclass(frozen=True)
class Simulation:
    """What a worker process needs to find its node: a name of the simulation, and how a node is made."""

    name: str
    make: Callable[[], LoadedNode]

    def __call__(self, run: int, node: Mapping[str, Any], request: Request) -> Response:
        """Answer a request; the node is loaded once per process."""
        if self.name not in _SERVERS:
            _SERVERS[self.name] = NodeServer(self.make)
        return _SERVERS[self.name](run, int(node["partition-id"]), request)


class _GridEngine:
    """An engine over a grid that is there between entering and leaving."""

    def __init__(self) -> None:
        self._remote: RemoteEngine | None = None
        self._exits = ExitStack()

    def run(self, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        """Yield what became of every task, in the order of the plan, as it becomes known."""
        assert self._remote is not None, "the engine is not entered"
        return self._remote.run(plan, parameters)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything."""
        self._remote = None
        self._exits.close()


@register("flower_simulation")
class FlowerSimulation(_GridEngine):
    """Clients in worker processes of this machine, or of a Ray cluster.

    Args:
        make_node: what a worker process loads, once.
        downlink: what clients are sent.
        on_step: told of every local step's loss, once the client has answered.
        clients: of the federation.
        workers: processes, where the machine is this one.
        cpus: of a worker, as Ray counts them.
        gpus: of a worker, likewise; a fraction shares one.
        address: of an existing Ray cluster; '': this machine.
        timeout: seconds that a client has for its answer.
    """

    def __init__(
        self,
        make_node: Callable[[], LoadedNode],
        downlink: Downlink,
        on_step: Callable[[float], None],
        clients: int,
        workers: int,
        cpus: float,
        gpus: float,
        address: str,
        timeout: float,
        poll: float,
    ) -> None:
        super().__init__()
        window = max(2 * workers, HELD // downlink.most_bytes)
        self._make: Callable[[Transport], RemoteEngine] = lambda transport: RemoteEngine(
            transport, Membership(transport, None), downlink, on_step, timeout, timeout, poll, window
        )
        self._clients = clients
        self._app = client_app(Simulation(os.urandom(8).hex(), make_node))
        self._timeout = timeout
        where: dict[str, Any] = {"address": address} if address else {"num_cpus": max(1, round(workers * cpus))}
        quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        self._backend: dict[str, dict[str, Any]] = {
            "client_resources": {"num_cpus": cpus, "num_gpus": gpus},
            "init_args": where | quiet,
        }

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the engine of a run."""
        own = {name: resources.settings[name] for name in ("workers", "cpus", "gpus", "address", "timeout", "poll")}
        return cls(resources.make_node, resources.downlink, resources.on_step, resources.clients, **own)

    def __enter__(self) -> Self:
        """Start the workers."""
        logging.getLogger("flwr").setLevel(logging.CRITICAL)
        grids: Queue[Grid] = Queue()
        over = threading.Event()
        server = ServerApp()

        def main(grid: Grid, context: Context) -> None:
            grids.put(grid)
            over.wait()

        server.main()(main)

        failures: list[BaseException] = []
        thread = threading.Thread(target=self._simulate, args=(server, failures), daemon=True)
        thread.start()
        self._exits.callback(thread.join)
        self._exits.callback(over.set)
        grid = _first(grids, thread, failures)
        self._remote = self._make(_Watched(GridTransport(grid, self._timeout), thread, failures))
        return self

    def _simulate(self, server: ServerApp, failures: list[BaseException]) -> None:
        from flwr.simulation import run_simulation

        leave_to_others()  # a signal to all processes of a job must not end Ray's before the round is finished
        try:
            run_simulation(server, self._app, self._clients, backend_config=self._backend)
        except BaseException as error:  # noqa: BLE001 - it is told where the run is
            failures.append(error)


class _Watched:
    """A transport that notices that the simulation which carries it has broken down."""

    def __init__(self, transport: GridTransport, thread: threading.Thread, failures: list[BaseException]) -> None:
        self._transport = transport
        self._thread = thread
        self._failures = failures
        self.send = transport.send
        self.nodes = transport.nodes

    def collect(self, names: Collection[str]) -> Iterator[tuple[str, Response]]:
        """Yield the answers that have arrived."""
        take_back()  # Ray takes SIGTERM for itself, to abort
        if not self._thread.is_alive():
            raise _broken_down(self._failures)
        return self._transport.collect(names)


def _first(grids: "Queue[Grid]", thread: threading.Thread, failures: list[BaseException]) -> Grid:
    while thread.is_alive():
        try:
            return grids.get(timeout=0.2)
        except Empty:
            continue
    raise _broken_down(failures)


def _broken_down(failures: list[BaseException]) -> ResourceError:
    causes = failures[0] if failures else None
    while causes is not None and causes.__cause__ is not None:
        causes = causes.__cause__
    return ResourceError(f"engine.type = flower_simulation\n    the simulation has ended: {causes}")


@register("flower")
class Flower(_GridEngine):
    """Clients on nodes of a deployment (``fedmezo-node``), reached over a SuperLink.

    Args:
        handshake: what the server works on.
        downlink: what clients are sent.
        on_step: told of every local step's loss, once the client has answered.
        clients: of the federation.
        superlink: its address, HOST:PORT.
        root_certificates: file of the certificates that the SuperLink's is checked against; '': no TLS.
        secret: file with the secret of ``flower-superlink --superexec-auth-secret-file``; '': none.
        keys: files with the public keys of the clients' nodes, in client order; empty: any node may be any client.
        timeout: seconds that a client has for its answer.
        wait: seconds that a client's node is waited for.
        poll: seconds from one look for answers to the next.
    """

    def __init__(
        self,
        handshake: Callable[[], Handshake],
        downlink: Downlink,
        on_step: Callable[[float], None],
        clients: int,
        superlink: str,
        root_certificates: str,
        secret: str,
        keys: Collection[str],
        timeout: float,
        wait: float,
        poll: float,
    ) -> None:
        super().__init__()
        self._superlink = superlink
        self._files = (Path(root_certificates) if root_certificates else None, Path(secret) if secret else None)
        self._timeout = timeout
        pinned = {client: public_key(Path(path)) for client, path in enumerate(keys)}
        self._make: Callable[[Transport], RemoteEngine] = lambda transport: RemoteEngine(
            transport,
            Membership(transport, handshake(), pinned),
            *(downlink, on_step, timeout, wait, poll),
            window=max(1, clients),
        )

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the engine of a run."""
        names = ("superlink", "root_certificates", "secret", "keys", "timeout", "wait", "poll")
        own = {name: resources.settings[name] for name in names}
        return cls(resources.handshake, resources.downlink, resources.on_step, resources.clients, **own)

    def __enter__(self) -> Self:
        """Open a run at the SuperLink."""
        from fedmezo.federation.engines.flower_server import served_grid

        grid = self._exits.enter_context(served_grid(self._superlink, *self._files))
        self._remote = self._make(GridTransport(grid, 2 * self._timeout))  # so that a time-out is told as what it is
        return self


def public_key(path: Path) -> bytes:
    """Return the public key of a file, as nodes are known by it.

    Raises:
        ConfigurationError: it holds none.
    """
    from fedmezo.federation.engines.flower_internals import read_public_key

    try:
        return read_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"engine.keys\n    {path}: {error}") from error
