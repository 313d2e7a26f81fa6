"""The node's side: requests in, responses out."""

from collections.abc import Callable
from dataclasses import dataclass

from fedmezo.core.errors import FedmezoError
from fedmezo.core.log import LOG
from fedmezo.core.out_of_memory import ran_out
from fedmezo.federation.engine import failure, place
from fedmezo.federation.engines.transport import (
    Answered,
    Failed,
    HandshakeRequest,
    HandshakeResponse,
    Request,
    Response,
)
from fedmezo.federation.handshake import Handshake, unpack_handshake
from fedmezo.federation.messages import Message, Reply, unpack_order
from fedmezo.federation.node import Node, Stale


@dataclass(frozen=True, eq=False)
class LoadedNode:
    """A node with what it says of itself; None where it is the server's own by construction."""

    node: Node
    handshake: Handshake | None = None


class NodeServer:
    """Answers requests; for each run it starts from the run's initial parameters, with a node of its own.

    Args:
        make: a node as at the beginning of a run: loads model and data.
        first: the one for the first run, where it was made already.
    """

    def __init__(self, make: Callable[[], LoadedNode], first: LoadedNode | None = None) -> None:
        self._make = make
        self._loaded = first
        self._run: object = None

    def __call__(self, run: object, client: int, request: Request) -> Response:
        """Answer a request of a run to the node of a client."""
        try:
            if isinstance(request, HandshakeRequest):
                return self._handshake(run, client, request)
            return self._answer(run, request)
        except FedmezoError as error:
            return Failed(str(error), ran_out(error))

    def _handshake(self, run: object, client: int, handshake_request: HandshakeRequest) -> Response:
        if not handshake_request.handshake:
            return HandshakeResponse(client, "")
        own = self._of(run).handshake
        assert own is not None
        for mismatch in own.mismatches(unpack_handshake(handshake_request.handshake)):
            LOG.error(f"the server works on something else, and will refuse this node: {mismatch}")
        return HandshakeResponse(own.client, own.pack())

    def _answer(self, run: object, message: Message) -> Response:
        order = unpack_order(message)
        task = order.task
        try:
            found = self._of(run).node(order)
        except FedmezoError as error:
            return _failed(f"{place(task)}: {error}", error)
        except Exception as error:  # noqa: BLE001 - whatever a client's work raises is its failure
            return _failed(failure(task, error).message, error)
        if isinstance(found, Stale):
            return found
        assert isinstance(found, Reply)
        return Answered(found.message, found.seconds)

    def _of(self, run: object) -> LoadedNode:
        if self._run is not None and self._run != run:
            LOG.info("another run begins")
            self._loaded = None
        if self._loaded is None:
            self._loaded = self._make()
        self._run = run
        return self._loaded


def _failed(text: str, error: Exception) -> Failed:
    LOG.warning(text)
    LOG.debug("its traceback", exc_info=error)
    return Failed(text, ran_out(error))
