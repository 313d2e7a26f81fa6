"""``exact_match``: the share of examples whose response is what greedy decoding gives, token for token."""

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.metrics import Metric, register


@register("exact_match")
class ExactMatch(Metric):
    """Share of examples whose response tokens are all the most likely ones."""

    higher_is_better = True
    unit = "share of whole responses"
    share = True
    by_group = False
    sums_of = "accuracy"

    def of_examples(
        self, values: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return 1 for an example all of whose tokens are right, else 0, of 1."""
        return (values == counts).astype(np.float64), np.ones_like(counts)
