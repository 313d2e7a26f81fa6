"""What a splitter is, and what all of them share."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.errors import ResourceError

Indices = NDArray[np.int64]


class Splitter(Protocol):
    """A rule that divides examples among clients; its constructor takes ``data.splitter_args`` by keyword."""

    def __call__(
        self,
        labels: Sequence[str] | None,
        num_examples: int,
        num_clients: int,
        generator: np.random.Generator,
    ) -> list[Indices]:
        """Divide the examples 0 .. num_examples - 1.

        Args:
            labels: the category of each example, None where the data has none.
            num_examples: how many examples there are.
            num_clients: how many clients, at least 1.
            generator: the only source of randomness.

        Returns:
            One ascending int64 array a client: disjoint, none empty, together all examples.

        Raises:
            ResourceError: the examples cannot be divided so.
        """
        ...


def check_enough(num_examples: int, num_clients: int) -> None:
    """Raise ResourceError where there are fewer examples than clients."""
    if num_examples < num_clients:
        raise ResourceError(
            f"federate.client_num = {num_clients}: only {num_examples} training examples; "
            "use fewer clients or more data"
        )


def indices_by_label(labels: Sequence[str]) -> dict[str, Indices]:
    """Return the ascending indices of each label, in label order."""
    names, inverse = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    return {name: np.flatnonzero(inverse == position) for position, name in enumerate(names)}
