"""What travels between the server and nodes in other processes, whatever carries it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fedmezo.federation.messages import Message
from fedmezo.federation.node import Stale


@dataclass(frozen=True)
class HandshakeRequest:
    """The server asks a node who it is, and says what itself works on (:mod:`fedmezo.federation.handshake`)."""

    handshake: str


@dataclass(frozen=True)
class HandshakeResponse:
    """A node's answer to that; the text is empty where node and server have the same configuration by construction."""

    client: int
    handshake: str


@dataclass(frozen=True)
class Answered:
    """A client's answer to its order, and the seconds that its work took."""

    message: Message
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A client's work has failed; the text says where and how.

    Args:
        exhausted: for want of memory.
    """

    text: str
    exhausted: bool = False


@dataclass(frozen=True)
class Lost:
    """There will be no answer: the node is gone, or what carries requests has failed."""

    text: str


@dataclass(frozen=True)
class NodeInfo:
    """A node that is there.

    Args:
        key: its public key, empty where nodes have none.
        since: when it came; another value than before means that it was away, or was started again, in between.
    """

    key: bytes = b""
    since: str = ""


Request = HandshakeRequest | Message
Response = HandshakeResponse | Answered | Stale | Failed | Lost


class Transport(Protocol):
    """Carries requests to nodes, and their answers back."""

    def nodes(self) -> Mapping[int, NodeInfo]:
        """Return the nodes that are there now."""
        ...

    def send(self, node: int, request: Request) -> str:
        """Send a request and return its name."""
        ...

    def collect(self, names: Collection[str]) -> Iterator[tuple[str, Response]]:
        """Yield the answers to requests that have arrived, each once."""
        ...
