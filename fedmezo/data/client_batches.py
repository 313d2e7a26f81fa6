"""The batches of a client, in an order that is a function of position, not of history."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.randomness import generator, stream_key

if TYPE_CHECKING:
    from fedmezo.data.batches import Batch  # with torch, which an order does without


def batch_indices(
    n: int, batch_size: int, first_position: int, seed: int, client: int, shuffle: bool = True
) -> NDArray[np.int64]:
    """Return the examples at consecutive positions of a client's endless sequence of epochs.

    Position ``p`` lies in epoch ``p // n``; every epoch has its own permutation; a batch may straddle two.

    Args:
        n: how many training examples the client has, at least 1.
        batch_size: how many positions.
        first_position: the first of them.
        seed: the run's seed.
        client: the client's index.
        shuffle: False keeps every epoch in the order of the data.

    Returns:
        int64 [batch_size], the client's local indices 0 .. n - 1.
    """
    positions = np.arange(first_position, first_position + batch_size, dtype=np.int64)
    if not shuffle:
        return positions % n
    places = ((int(position) // n, int(position) % n) for position in positions)
    order = (_permutation(n, seed, client, epoch)[place] for epoch, place in places)
    return np.fromiter(order, dtype=np.int64, count=batch_size)


def batch_span(n: int, batch_size: int, index: int, *, short: bool) -> tuple[int, int]:
    """Return the first position of a client's batch number ``index``, and how many there are in it.

    Args:
        n: as of :func:`batch_indices`.
        batch_size: likewise.
        index: of the batch, counted from the start of the run.
        short: the last batch of an epoch holds what is left of it; False: it is filled up from the next one.
    """
    if not short:
        return index * batch_size, batch_size
    epoch, place = divmod(index, epoch_batches(n, batch_size))
    return epoch * n + place * batch_size, min(batch_size, n - place * batch_size)


def epoch_batches(n: int, batch_size: int) -> int:
    """Return how many batches it takes to meet each of ``n`` examples."""
    return -(-n // batch_size)


@lru_cache(maxsize=16)
def _permutation(n: int, seed: int, client: int, epoch: int) -> NDArray[np.int64]:
    return generator(stream_key(seed, "data", client=client, step=epoch)).permutation(n)


@dataclass(frozen=True)
class LocalData:
    """The training examples of every client, as batches by position.

    Args:
        examples: indices of each client's training examples, of those that there are data for.
        collate: makes a batch of examples.
        seed: of the order (:func:`batch_indices`).
        batch_size: likewise.
        shuffle: likewise.
        local_steps: H of a round, or epochs if ``by_epoch``.
        short: the last batch of an epoch is short, so that each epoch meets each example once.
        attempts: batches that a step may try while its loss is not finite.
    """

    examples: Mapping[int, NDArray[np.int64]]
    collate: "Callable[[NDArray[np.int64]], Batch]"
    seed: int
    batch_size: int
    shuffle: bool
    local_steps: int
    by_epoch: bool
    short: bool = False
    attempts: int = 1

    @property
    def sizes(self) -> list[int]:
        """Number of training examples of every client."""
        return [len(own) for own in self.examples.values()]

    def steps(self, client: int) -> int:
        """Return H of a client."""
        if not self.by_epoch:
            return self.local_steps
        return self.local_steps * epoch_batches(len(self.examples[client]), self.batch_size)

    def most_examples(self, client: int, steps: int) -> int:
        """Return how many examples so many steps of a round train on, at most."""
        sizes = [self._span(client, index)[1] for index in range(steps + self.attempts - 1)]
        return sum(max(sizes[step : step + self.attempts]) for step in range(steps))

    def indices(self, client: int, index: int) -> NDArray[np.int64]:
        """Return the examples of the client's batch number ``index``, counted from the start of the run."""
        own = self.examples[client]
        first, size = self._span(client, index)
        return own[batch_indices(len(own), size, first, self.seed, client, self.shuffle)]

    def batch(self, client: int, index: int) -> "Batch":
        """Return the client's batch number ``index``."""
        return self.collate(self.indices(client, index))

    def _span(self, client: int, index: int) -> tuple[int, int]:
        return batch_span(len(self.examples[client]), self.batch_size, index, short=self.short)
