"""A post without a network: nodes are objects of this process."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from fedmezo.federation.engines.transport import Letter, Presence, Response


@dataclass
class DirectPost:
    """Hands letters to functions, by node; None as an answer is silence.

    Args:
        answers: what each node says to a letter.
        present: what is known of nodes, where it is something.
    """

    answers: dict[int, Callable[[Letter], Response | None]]
    present: dict[int, Presence] = field(default_factory=dict)
    sent: list[tuple[int, Letter]] = field(default_factory=list)
    waiting: dict[str, tuple[int, Letter]] = field(default_factory=dict)

    def nodes(self) -> Mapping[int, Presence]:
        return {node: self.present.get(node, Presence()) for node in self.answers}

    def send(self, node: int, letter: Letter) -> str:
        name = str(len(self.sent))
        self.sent.append((node, letter))
        self.waiting[name] = (node, letter)
        return name

    def collect(self, names: Collection[str]) -> Iterator[tuple[str, Response]]:
        for name in names:
            if name not in self.waiting:
                continue
            node, letter = self.waiting[name]
            response = self.answers[node](letter) if node in self.answers else None
            if response is not None:
                del self.waiting[name]
                yield name, response
