"""Clients of different categories."""

from collections.abc import Sequence

import numpy as np

from fedmezo.core.errors import ResourceError
from fedmezo.data.splitters import register
from fedmezo.data.splitters.splitter import Indices, check_enough, indices_by_label


@register("meta")
class Meta:
    """Shuffles the categories and gives all of category ``k`` to client ``k mod N``."""

    def __call__(
        self,
        labels: Sequence[str] | None,
        num_examples: int,
        num_clients: int,
        generator: np.random.Generator,
    ) -> list[Indices]:
        """Divide the examples (see :class:`Splitter`); there have to be labels, as many as clients."""
        check_enough(num_examples, num_clients)
        if labels is None:
            raise ResourceError(
                "data.splitter = meta: the data has no categories\n"
                "    if rows have a field for them: the same command with\n"
                "        data.fields.category FIELD\n"
                "    else: the same command with\n"
                "        data.splitter iid"
            )
        groups = list(indices_by_label(labels).values())
        if len(groups) < num_clients:
            raise ResourceError(
                f"data.splitter = meta: {num_clients} clients, but only {len(groups)} categories; "
                f"use federate.client_num {len(groups)} or less, or data.splitter iid or lda"
            )
        order = generator.permutation(len(groups))
        return [
            np.sort(np.concatenate([groups[category] for category in order[client::num_clients]]))
            for client in range(num_clients)
        ]
