"""Clients with different mixtures of categories (Hsu, Qi and Brown 2019, arXiv:1909.06335)."""

import math
from collections.abc import Sequence

import numpy as np

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.apportion import apportion
from fedmezo.data.splitters import register
from fedmezo.data.splitters.splitter import Indices, check_enough, indices_by_label


@register("lda")
class Lda:
    """Divides each category among the clients in proportions drawn from a Dirichlet distribution.

    Deviation from the paper: a client that got nothing takes one example of the largest client.

    Args:
        alpha: concentration, > 0; small values give each category to few clients, large ones to all alike.
    """

    def __init__(self, alpha: float = 0.5) -> None:
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
            raise ConfigurationError(f"data.splitter_args: alpha = {alpha}: expected a number > 0")
        self.alpha = float(alpha)

    def __call__(
        self,
        labels: Sequence[str] | None,
        num_examples: int,
        num_clients: int,
        generator: np.random.Generator,
    ) -> list[Indices]:
        """Divide the examples (see :class:`Splitter`); without labels they are one category."""
        check_enough(num_examples, num_clients)
        groups = indices_by_label(labels if labels is not None else [""] * num_examples)
        pieces: list[list[Indices]] = [[] for _ in range(num_clients)]
        for group in groups.values():
            proportions = generator.dirichlet([self.alpha] * num_clients)
            cuts = np.cumsum(apportion(proportions, len(group)))[:-1]
            for client, piece in enumerate(np.split(generator.permutation(group), cuts)):
                pieces[client].append(piece)
        return [np.sort(part) for part in _fill_empty([np.concatenate(piece) for piece in pieces])]


def _fill_empty(parts: list[Indices]) -> list[Indices]:
    """Give each empty part the last example of the largest one (of equals the first)."""
    for client, part in enumerate(parts):
        if len(part) == 0:
            largest = max(range(len(parts)), key=lambda other: len(parts[other]))
            parts[client], parts[largest] = parts[largest][-1:], parts[largest][:-1]
    return parts
