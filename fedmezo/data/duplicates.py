"""Equal examples in several parts of the data: what is held out must not be what is trained on.

Two examples are equal if the model sees the same tokens, or if their texts are the same apart from white space. Copies
within one part are left alone.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedmezo.data.encoding import EncodedExamples
from fedmezo.data.examples import Example
from fedmezo.data.partition import HELD_OUT, Partition, Split

Duplicates = Literal["remove", "keep"]
Indices = NDArray[np.int64]
Copies = Mapping[Split, Indices]


def find_copies(partition: Partition, examples: Sequence[Example], encoded: EncodedExamples) -> Copies:
    """Return the held-out examples that equal one of a part before theirs: of train, or for test also of val.

    Args:
        partition: of the examples, whichever client has them.
        examples: one for each of ``encoded``.
        encoded: what the model sees of them.

    Returns:
        For val and test the ascending indices of the copies.
    """
    texts = (_words(example) for example in examples)
    tokens = (encoded.tokens(index).tobytes() for index in range(len(encoded)))
    kinds = [_numbered(texts), _numbered(tokens)]
    found: dict[Split, Indices] = {}
    before = partition.union("train")
    for split in HELD_OUT:
        rows = partition.union(split)
        equal = np.any([np.isin(kind[rows], kind[before]) for kind in kinds], axis=0)
        found[split] = rows[equal]
        before = np.concatenate([before, rows[~equal]])
    return found


def without_copies(partition: Partition, copies: Copies) -> Partition:
    """Return the partition without the copies in its held-out parts."""
    clients = (
        replace(
            client,
            val=np.setdiff1d(client.val, copies["val"], assume_unique=True),
            test=np.setdiff1d(client.test, copies["test"], assume_unique=True),
        )
        for client in partition.clients
    )
    return replace(partition, clients=tuple(clients))


def copies_warnings(partition: Partition, copies: Copies, duplicates: Duplicates) -> list[str]:
    """Return what the user should know about the copies in a partition."""
    warnings = []
    for split in HELD_OUT:
        if len(copies[split]) == 0:
            continue
        what = "training" if split == "val" else "training or validation"
        equal = f"{len(copies[split])} of {len(partition.union(split))} {split} examples equal one of {what}"
        if duplicates == "keep":
            warnings.append(f"{equal}, and are evaluated all the same (data.duplicates = keep)")
            continue
        warnings.append(f"{equal}, and are left out (data.duplicates = remove)")
        lost = sum(
            len(part.split(split)) > 0 and np.isin(part.split(split), copies[split]).all() for part in partition.clients
        )
        if lost:
            warnings.append(f"{lost} of {len(partition.clients)} clients have no other {split} example")
    return warnings


def _words(example: Example) -> tuple[str, ...]:
    return tuple(" ".join(text.split()) for text in _parts(example))


def _parts(example: Example) -> tuple[str, ...]:
    return example.instruction, example.input, example.question, example.output


def _numbered(values: Iterable[Hashable]) -> Indices:
    """Return a number for each value, the same for equal ones."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)
