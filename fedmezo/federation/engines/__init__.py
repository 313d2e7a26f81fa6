"""Engines: how client work is executed (the contract is in :mod:`fedmezo.federation.engine`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from fedmezo.core.registry import Registry
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine, Executor
from fedmezo.federation.engines.node_server import LoadedNode
from fedmezo.federation.handshake import Handshake


@dataclass(frozen=True)
class Resources:
    """What an engine can be made of.

    Args:
        executor: what clients do, in this process.
        on_step: told of every local step's loss, once a client in another process has answered.
        downlink: what clients in other processes are sent.
        clients: of the federation.
        handshake: makes what the server says of itself to a node.
        make_node: loads the node of a worker process, once; it can be sent there.
        settings: the keys ``engine.*`` by name.
    """

    executor: Executor
    on_step: Callable[[float], None]
    downlink: Downlink
    clients: int
    handshake: Callable[[], Handshake]
    make_node: Callable[[], LoadedNode]
    settings: Mapping[str, Any]


class RegisteredEngine(Engine, Protocol):
    """An engine that a configuration can name."""

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the engine of a run."""
        ...


registry: Registry[type[RegisteredEngine]] = Registry("engine", __name__, needs=("run", "create"))
register = registry.register
