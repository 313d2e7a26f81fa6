"""Independent, identically distributed clients."""

from collections.abc import Sequence

import numpy as np

from fedmezo.data.splitters import register
from fedmezo.data.splitters.splitter import Indices, check_enough


@register("iid")
class Iid:
    """Shuffles the examples and deals equal parts: sizes differ by at most one."""

    def __call__(
        self,
        labels: Sequence[str] | None,
        num_examples: int,
        num_clients: int,
        generator: np.random.Generator,
    ) -> list[Indices]:
        """Divide the examples (see :class:`Splitter`)."""
        check_enough(num_examples, num_clients)
        return [np.sort(part) for part in np.array_split(generator.permutation(num_examples), num_clients)]
