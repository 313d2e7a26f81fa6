"""What is checked of a splitter's answer."""

from collections.abc import Sequence

import numpy as np

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.data.splitters.splitter import Indices, Splitter


def checked_parts(splitter: Splitter, parts: Sequence[Indices], num_examples: int, num_clients: int) -> list[Indices]:
    """Return the parts as ascending int64 arrays.

    Raises:
        ConfigurationError: they are not ``num_clients`` disjoint, filled parts of all examples; the message names
            file and line.
    """
    try:
        arrays = [np.sort(np.asarray(part)) for part in parts]
    except (TypeError, ValueError):
        arrays = []
    if wrong := _fault(arrays, num_examples, num_clients):
        raise ConfigurationError(
            f"{defined_at(splitter)}\n    the splitter's answer does not do: {wrong}\n"
            "    expected an array of indices for each client: disjoint, none empty, together all examples"
        )
    return [array.astype(np.int64) for array in arrays]


def _fault(arrays: list[Indices], num_examples: int, num_clients: int) -> str:
    """Return what is wrong with the parts; empty where nothing is."""
    if len(arrays) != num_clients:
        return f"it is no list of {num_clients} arrays, one a client"
    for client, array in enumerate(arrays):
        if array.ndim != 1 or len(array) == 0 or not np.issubdtype(array.dtype, np.integer):
            return f"client {client} has {array.tolist()}"
    taken = np.concatenate(arrays)
    if taken.min() < 0 or taken.max() >= num_examples:
        return f"there are {num_examples} examples, counted from 0, but it names number {taken.max()}"
    counts = np.bincount(taken, minlength=num_examples)
    if counts.max() > 1:
        return f"example {counts.argmax()} is given {counts.max()} times"
    return f"example {counts.argmin()} is given to no client" if counts.min() == 0 else ""
