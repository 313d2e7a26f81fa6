"""Fewer examples than there are: so many a client, of each class, and held out as many of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.balance import Cell, balanced
from fedmezo.data.divide import BALANCE_TEST, BALANCE_VAL, LIMIT_TRAIN
from fedmezo.data.partition import ClientData, Partition

Indices = NDArray[np.int64]


def with_balanced_held_out(partition: Partition, cells: Sequence[Cell], seed: int) -> Partition:
    """Return the partition with as many examples of each class, in every category, held out.

    Args:
        partition: of examples.
        cells: category and class of every example.
        seed: of the run.

    Raises:
        ResourceError: a category lacks a class there.
    """
    val = balanced(partition.union("val"), cells, generator(stream_key(seed, "partition", step=BALANCE_VAL)))
    test = balanced(partition.union("test"), cells, generator(stream_key(seed, "partition", step=BALANCE_TEST)))
    clients = (
        replace(client, val=np.intersect1d(client.val, val), test=np.intersect1d(client.test, test))
        for client in partition.clients
    )
    return replace(partition, clients=tuple(clients))


def limited(partition: Partition, labels: Sequence[str | None], shots: int, examples: int, seed: int) -> Partition:
    """Return the partition with fewer training examples.

    Args:
        partition: of examples.
        labels: the class of every example.
        shots: the most of each class that a client keeps; 0 for all.
        examples: the most that a client keeps; 0 for all.
        seed: of the run.
    """
    if not shots and not examples:
        return partition
    clients = []
    for number, client in enumerate(partition.clients):
        order = generator(stream_key(seed, "partition", client=number, step=LIMIT_TRAIN)).permutation(client.train)
        clients.append(replace(client, train=_kept(order, labels, shots, examples)))
    return replace(partition, clients=tuple(clients))


def _kept(order: Indices, labels: Sequence[str | None], shots: int, examples: int) -> Indices:
    met: Counter[str | None] = Counter()
    ranks = []
    for row in order:
        ranks.append(met[labels[row]])
        met[labels[row]] += 1
    kept = order[np.array(ranks) < shots] if shots else order
    return np.sort(kept[: examples or None])


def missing_classes(clients: Sequence[ClientData], labels: Sequence[str | None], words: Sequence[str]) -> list[str]:
    """Return a warning where clients have no training example of some class."""
    lacking = {}
    for number, client in enumerate(clients):
        held = {labels[row] for row in client.train}
        if absent := [word for word in words if word not in held]:
            lacking[number] = absent
    if not lacking:
        return []
    named = "; ".join(f"client {number}: {', '.join(absent)}" for number, absent in list(lacking.items())[:5])
    more = "; ..." if len(lacking) > 5 else ""
    return [f"{len(lacking)} of {len(clients)} clients have no training example of some class ({named}{more})"]
