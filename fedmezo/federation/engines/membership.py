"""Which node works for which client."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from fedmezo.core.errors import MalformedError
from fedmezo.core.log import LOG
from fedmezo.federation.engines.transport import HandshakeRequest, HandshakeResponse, NodeInfo, Response, Transport
from fedmezo.federation.handshake import Handshake, unpack_handshake

AGAIN, LONGEST = 10.0, 160.0  # seconds until a node that was refused, or did not answer, is asked again; it doubles
SHOWN = 5  # differing keys that are named


class Session(NamedTuple):
    """A node from when it came until it is gone, or started again."""

    node: int
    info: NodeInfo


class Membership:
    """Asks new nodes who they are, and remembers it until they are gone.

    Args:
        transport: reaches the nodes.
        own: what the server works on; None where nodes are its own processes.
        keys: public keys of clients whose node must hold them.
        refresh: seconds from one look at the list of nodes to the next.
    """

    def __init__(
        self, transport: Transport, own: Handshake | None, keys: Mapping[int, bytes] | None = None, refresh: float = 1.0
    ) -> None:
        self._transport = transport
        self._own = own
        self._keys = keys or {}
        self._refresh = refresh
        self._nodes: dict[int, Session] = {}  # by client
        self._asked: dict[str, int] = {}  # requests without an answer yet
        self._again: dict[int, tuple[float, float]] = {}  # when a node may be asked again, after which wait
        self._said: dict[int, tuple[int, str]] = {}  # the client that a refused node is of, and why it was refused
        self._present: Mapping[int, NodeInfo] = {}
        self._looked = float("-inf")

    def node(self, client: int) -> Session | None:
        """Return the node of a client, if there is one."""
        return self._nodes.get(client)

    def reasons(self, client: int) -> list[str]:
        """Return why nodes that are there, and say that they are a client's, were refused."""
        return [text for other, text in self._said.values() if other == client]

    def forget(self, node: int) -> None:
        """Ask a node anew who it is: it has failed, and may have been started again with something else."""
        self._nodes = {client: each for client, each in self._nodes.items() if each.node != node}
        self._again.pop(node, None)

    def refresh(self) -> None:
        """Take note of nodes that have come or gone, and of what those asked have answered."""
        if time.monotonic() >= self._looked + self._refresh:
            self._looked = time.monotonic()
            before, self._present = self._present, self._transport.nodes()
            stayed = {node for node, info in self._present.items() if before.get(node) == info}
            self._nodes = {client: session for client, session in self._nodes.items() if session.node in stayed}
            self._said = {node: said for node, said in self._said.items() if node in stayed}
            self._again = {node: each for node, each in self._again.items() if node in stayed}
            self._asked = {name: node for name, node in self._asked.items() if node in stayed}
            self._ask()
        for name, response in self._transport.collect(list(self._asked)) if self._asked else ():
            self._hear(self._asked.pop(name), response)

    def _ask(self) -> None:
        known = {session.node for session in self._nodes.values()}
        request = HandshakeRequest("" if self._own is None else self._own.pack())
        for node in sorted(self._present.keys() - known):
            at, wait = self._again.get(node, (0.0, AGAIN / 2))
            if time.monotonic() >= at:
                wait = min(2 * wait, LONGEST)
                self._again[node] = (time.monotonic() + wait, wait)
                self._asked[self._transport.send(node, request)] = node  # late answers to earlier ones count

    def _hear(self, node: int, response: Response) -> None:
        if not isinstance(response, HandshakeResponse):
            LOG.debug("node %s does not say who it is: %s", node, response)
            return
        reason = self._refusal(node, response)
        if reason:
            said = (response.client, reason)
            if self._said.get(node) != said:
                LOG.warning(reason)
            self._said[node] = said
            return
        self._said.pop(node, None)
        before = self._nodes.get(response.client)
        if before is not None and before.node != node:
            LOG.warning(f"client {response.client}: node {node} takes the place of node {before.node}")
        self._nodes[response.client] = Session(node, self._present[node])

    def _refusal(self, node: int, response: HandshakeResponse) -> str:
        """Return why a node is refused, or nothing."""
        client = response.client
        if client in self._keys and self._present[node].key != self._keys[client]:
            return f"a node says that it works for client {client}, but its key is not that client's; it is refused"
        if self._own is None:
            return ""
        try:
            other = unpack_handshake(response.handshake)
        except MalformedError as error:
            return f"the node of client {client} is refused: {error}"
        found = self._own.mismatches(other)
        if found:
            more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            listed = "".join(f"\n    {each[:400]}" for each in [*found[:SHOWN], *more])
            return f"the node of client {client} works on something else and is refused:{listed}"
        if other.threads != self._own.threads:
            LOG.warning(
                f"the node of client {client} computes on {other.threads} threads, and this process on "
                f"{self._own.threads}: results may differ in the last bits (engine.threads)"
            )
        return ""
