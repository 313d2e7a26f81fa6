"""Client sampling: who takes part in a round. One file a way of drawing; ``federate.sampler`` names it.

A function of the run's seed, the round and the clients' data alone, so that a run which goes on, or is repeated, has
the same clients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedmezo.core.randomness import generator, stream_key
from fedmezo.core.registry import Registry


@dataclass(frozen=True)
class Draw:
    """What a sampler may look at.

    Args:
        seed: of the run.
        round_index: from 0.
        count: how many clients are wanted, at most as many as there are.
        sizes: the number of examples of each client [client_num].
    """

    seed: int
    round_index: int
    count: int
    sizes: Sequence[int]

    @property
    def generator(self) -> np.random.Generator:
        """A generator of the round's own stream."""
        return generator(stream_key(self.seed, "sample", round_index=self.round_index))


class Sampler(Protocol):
    """The contract of a sampler."""

    def clients(self, draw: Draw) -> Sequence[int]:
        """Return ``draw.count`` different clients, in any order."""
        ...


registry: Registry[type[Sampler]] = Registry("client sampler", __name__, needs=("clients",))
register = registry.register


def participants(client_num: int, sample_num: int, sample_rate: float) -> int:
    """Return how many clients take part in a round: a number, a rate, or all of them (0 and -1)."""
    if sample_num > 0:
        return sample_num
    return max(1, round(sample_rate * client_num)) if sample_rate > 0 else client_num
