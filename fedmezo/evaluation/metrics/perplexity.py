"""``perplexity``: how many tokens the model is undecided among, in effect; exp of the loss."""

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.metrics import Metric, register


@register("perplexity")
class Perplexity(Metric):
    """Exponential of the mean negative log-likelihood of response tokens."""

    higher_is_better = False
    unit = "tokens"
    sums_of = "loss"

    def result(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return exp of the mean loss; infinite where that is beyond fp64."""
        with np.errstate(over="ignore"):
            found: NDArray[np.float64] = np.exp(mean)
        return found
