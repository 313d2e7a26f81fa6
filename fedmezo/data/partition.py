"""Which client holds which examples, for training, validation and test."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
HELD_OUT: tuple[Split, ...] = SPLITS[1:]

NO_CATEGORY = "(none)"


@dataclass(frozen=True, eq=False)
class ClientData:
    """The examples of one client: ascending int64 indices, disjoint; ``train`` is never empty."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]

    def split(self, name: Split) -> NDArray[np.int64]:
        """Return the indices of a split."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]


@dataclass(frozen=True, eq=False)
class Partition:
    """The division of a dataset among clients, with what the user should know about it."""

    clients: tuple[ClientData, ...]
    warnings: tuple[str, ...] = ()

    def hash(self) -> str:
        """Return the BLAKE2b hash of all indices, 32 hexadecimal digits: equal hashes, equal divisions."""
        digest = hashlib.blake2b(digest_size=16)
        for client in self.clients:
            for name in SPLITS:
                indices = client.split(name).astype("<i8")
                digest.update(len(indices).to_bytes(8, "little") + indices.tobytes())
        return digest.hexdigest()

    def union(self, name: Split) -> NDArray[np.int64]:
        """Return the ascending indices that any client has in a split, int64."""
        return np.sort(np.concatenate([client.split(name) for client in self.clients]))

    def held(self, client: int, categories: Sequence[str | None]) -> Counter[str]:
        """Return how many examples of each category a client has, of all splits together."""
        data = self.clients[client]
        return sum((count_categories(data.split(name), categories) for name in SPLITS), Counter())

    def counts(self, categories: Sequence[str | None]) -> list[dict[str, object]]:
        """Return for each client how many examples it has, by split and category."""
        return [{name: _counts(client.split(name), categories) for name in SPLITS} for client in self.clients]


def count_categories(indices: NDArray[np.int64], categories: Sequence[str | None]) -> Counter[str]:
    """Return how many examples of each category there are among some."""
    return Counter(categories[index] or NO_CATEGORY for index in indices)


def _counts(indices: NDArray[np.int64], categories: Sequence[str | None]) -> dict[str, object]:
    by_category = count_categories(indices, categories)
    return {"examples": len(indices), "categories": dict(sorted(by_category.items()))}
