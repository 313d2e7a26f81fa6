"""Clients as the data suggest them: of different categories, where there are enough."""

from collections.abc import Sequence

import numpy as np

from fedmezo.data.splitters import register
from fedmezo.data.splitters.iid import Iid
from fedmezo.data.splitters.meta import Meta
from fedmezo.data.splitters.splitter import Indices


@register("natural")
class Natural:
    """Divides as ``meta`` where there is a category for each client, else as ``iid``: one file serves all data."""

    def __call__(
        self,
        labels: Sequence[str] | None,
        num_examples: int,
        num_clients: int,
        generator: np.random.Generator,
    ) -> list[Indices]:
        """Divide the examples (see :class:`Splitter`)."""
        enough = labels is not None and len(set(labels)) >= num_clients
        return (Meta() if enough else Iid())(labels, num_examples, num_clients, generator)
