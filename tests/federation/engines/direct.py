"""A transport without a network: nodes are objects of this process."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from fedmezo.federation.engines.transport import NodeInfo, Request, Response


@dataclass
class DirectTransport:
    """Hands requests to functions, by node; None as an answer is silence.

    Args:
        answers: what each node says to a request.
        present: what is known of nodes, where it is something.
    """

    answers: dict[int, Callable[[Request], Response | None]]
    present: dict[int, NodeInfo] = field(default_factory=dict)
    sent: list[tuple[int, Request]] = field(default_factory=list)
    waiting: dict[str, tuple[int, Request]] = field(default_factory=dict)

    def nodes(self) -> Mapping[int, NodeInfo]:
        return {node: self.present.get(node, NodeInfo()) for node in self.answers}

    def send(self, node: int, request: Request) -> str:
        name = str(len(self.sent))
        self.sent.append((node, request))
        self.waiting[name] = (node, request)
        return name

    def collect(self, names: Collection[str]) -> Iterator[tuple[str, Response]]:
        for name in names:
            if name not in self.waiting:
                continue
            node, request = self.waiting[name]
            response = self.answers[node](request) if node in self.answers else None
            if response is not None:
                del self.waiting[name]
                yield name, response
