"""From a dataset's categories to a partition: subsample, divide among clients, cut into splits."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.errors import ResourceError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.apportion import apportion
from fedmezo.data.balance import Cell, balanced
from fedmezo.data.partition import NO_CATEGORY, ClientData, Partition
from fedmezo.data.splitters.splitter import Splitter, indices_by_label
from fedmezo.data.splitters.validation import checked_parts

Indices = NDArray[np.int64]
Splits = tuple[float, float, float]

# Steps of the purpose "partition": each random choice has a stream of its own, besides those of the clients.
SUBSAMPLE_TRAIN, SUBSAMPLE_TEST, DEAL_TEST, BALANCE, BALANCE_VAL, BALANCE_TEST, LIMIT_TRAIN = range(7)


def make_partition(
    categories: Sequence[str | None],
    num_own_test: int,
    *,
    splitter: Splitter,
    splits: Splits,
    num_clients: int,
    seed: int,
    subsample: float = 1.0,
    cells: Sequence[Cell] | None = None,
    groups: Indices | None = None,
) -> Partition:
    """Divide examples among clients, and each client's into train, val and test: one division of categories.

    Where the dataset has its own test examples and the test fraction is positive, these are dealt to the
    clients, category by category, in proportion to their training examples, and the test fraction of the
    other examples is trained on.

    Args:
        categories: of each example; the last ``num_own_test`` are the dataset's own test examples.
        num_own_test: 0 where there is no own test set.
        splitter: divides the other examples among the clients.
        splits: fractions of train, val and test; what they leave of 1 is not used.
        num_clients: how many clients.
        seed: the run's seed.
        subsample: the fraction of the examples to use, in (0, 1].
        cells: category and class of each example, to divide as many of every class (the own test examples stay as they
            are); None to take all.
        groups: of each example, the number of its group, int64: a group is not cut in two. None: each is its own.

    Raises:
        ResourceError: the examples cannot be divided so, or a client is left without a training example.
    """
    num_own = len(categories) - num_own_test
    rows = _subsample(np.arange(num_own), subsample, seed, SUBSAMPLE_TRAIN)
    own_test = _subsample(np.arange(num_own, len(categories)), subsample, seed, SUBSAMPLE_TEST)
    if cells is not None:
        rows = balanced(rows, cells, _stream(seed, BALANCE))
    labels = _labels(categories)
    divided = _divide(rows, labels, splitter, num_clients, seed)
    if len(own_test) and splits[2] > 0:
        tests = _deal_like(divided, own_test, labels or [NO_CATEGORY] * len(categories), seed)
        fractions = (splits[0] + splits[2], splits[1], 0.0)
        cut, warnings = _cut_all(divided, fractions, seed, groups)
        clients = [ClientData(part.train, part.val, test) for part, test in zip(cut, tests, strict=True)]
        warnings += _warn_without_test(tests)
    else:
        clients, warnings = _cut_all(divided, splits, seed, groups)
    return Partition(tuple(clients), tuple(warnings))


def _labels(categories: Sequence[str | None]) -> list[str] | None:
    """Return every example's category, or None where no example has one."""
    return [category or NO_CATEGORY for category in categories] if any(categories) else None


def _subsample(rows: Indices, fraction: float, seed: int, step: int) -> Indices:
    """Keep a fraction of the rows, at least one of them where there is any."""
    if fraction == 1.0 or len(rows) == 0:
        return rows
    count = max(1, round(fraction * len(rows)))
    return np.sort(_stream(seed, step).permutation(rows)[:count])


def _divide(
    rows: Indices, labels: Sequence[str] | None, splitter: Splitter, num_clients: int, seed: int
) -> list[Indices]:
    own_labels = [labels[row] for row in rows] if labels is not None else None
    parts = splitter(own_labels, len(rows), num_clients, _stream(seed))
    return [rows[part] for part in checked_parts(splitter, parts, len(rows), num_clients)]


def _deal_like(divided: Sequence[Indices], own_test: Indices, labels: Sequence[str], seed: int) -> list[Indices]:
    """Deal test rows, category by category, in proportion to the clients' shares of the training rows."""
    sizes = [len(part) for part in divided]
    groups = {name: own_test[members] for name, members in indices_by_label([labels[row] for row in own_test]).items()}
    dealt: list[list[Indices]] = [[] for _ in divided]
    held = [Counter(labels[row] for row in part) for part in divided]
    stream = _stream(seed, DEAL_TEST)
    for name, group in groups.items():
        shares = [counter[name] for counter in held]
        counts = apportion(shares if any(shares) else sizes, len(group))
        for client, piece in enumerate(np.split(stream.permutation(group), np.cumsum(counts)[:-1])):
            dealt[client].append(piece)
    return [np.sort(np.concatenate(pieces)) for pieces in dealt]


def _cut_all(
    divided: Sequence[Indices], fractions: Splits, seed: int, groups: Indices | None
) -> tuple[list[ClientData], list[str]]:
    """Cut each client's rows by the fractions; return also the warning about too small clients."""
    clients, lent, starved = [], 0, []
    for client, rows in enumerate(divided):
        counts, borrowed = _split_counts(len(rows), fractions)
        if counts[0] < 1:
            starved.append(client)
            continue
        order = generator(stream_key(seed, "partition", client=client)).permutation(rows)
        borders = np.cumsum(counts)
        if groups is not None:
            order, borders = _whole_groups(order, borders, groups)
        train, val, test, _ = np.split(order, borders)
        clients.append(ClientData(np.sort(train), np.sort(val), np.sort(test)))
        lent += borrowed
    if starved:
        raise ResourceError(_starved_message(starved, len(divided), fractions))
    return clients, _warn_lent(lent, len(divided))


def _whole_groups(order: Indices, borders: Indices, groups: Indices) -> tuple[Indices, Indices]:
    """Return an order in which groups are together, and borders that lie between them: a part may get more."""
    _, first, number = np.unique(groups[order], return_index=True, return_inverse=True)
    starts = first[number]  # where the first of its group was
    together = np.argsort(starts, kind="stable")
    begins = np.append(np.flatnonzero(np.diff(starts[together], prepend=-1)), len(order))
    return order[together], begins[np.searchsorted(begins, borders)]


def _split_counts(num_rows: int, fractions: Splits) -> tuple[list[int], bool]:
    """Return the sizes of train, val and test, and whether val or test had to take an example from train."""
    unused = max(0.0, 1.0 - sum(fractions))
    train, val, test, _ = (int(count) for count in apportion([*fractions, unused], num_rows))
    missing = [fractions[1] > 0 and val == 0, fractions[2] > 0 and test == 0]
    return [train - sum(missing), val + missing[0], test + missing[1]], any(missing)


def _starved_message(starved: Sequence[int], num_clients: int, fractions: Splits) -> str:
    named = ", ".join(map(str, starved[:5])) + (", ..." if len(starved) > 5 else "")
    return (
        f"{len(starved)} of {num_clients} clients (number {named}) have too few examples to train on "
        f"besides validation and test (fractions {fractions[0]:g}, {fractions[1]:g}, {fractions[2]:g}): "
        "use fewer clients, more data, a larger alpha with lda, or a fraction of 0 in data.splits"
    )


def _warn_lent(count: int, num_clients: int) -> list[str]:
    if count == 0:
        return []
    return [
        f"{count} of {num_clients} clients are too small for the fractions of data.splits: "
        "their validation or test example is taken from training"
    ]


def _warn_without_test(tests: Sequence[Indices]) -> list[str]:
    count = sum(len(test) == 0 for test in tests)
    return [f"{count} of {len(tests)} clients get no example of the dataset's own test set"] if count else []


def _stream(seed: int, step: int = -1) -> np.random.Generator:
    return generator(stream_key(seed, "partition", step=step))
