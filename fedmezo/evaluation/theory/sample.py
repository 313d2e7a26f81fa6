"""What a local quadratic model is estimated from, with the errors of what follows from it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.theory.descent import Terms
from fedmezo.evaluation.theory.heterogeneity import Gradients
from fedmezo.evaluation.theory.measured import Measured, jackknife


@dataclass(frozen=True, eq=False)
class Sample:
    """Gradients and curvature at a point, by blocks.

    Args:
        gradients: in each block [B].
        traces: z_b . (Hess z)_b of each example, each pair of vectors and each block [m, P, B].
        along: g_b . Hess_bc g_c [B, B].
    """

    gradients: tuple[Gradients, ...]
    traces: NDArray[np.float64]
    along: NDArray[np.float64]

    @property
    def terms(self) -> Terms:
        """What the model is made of."""
        return Terms(
            np.array([each.squared_norm for each in self.gradients]),
            np.array([each.batch_squared_norm for each in self.gradients]),
            self.traces.mean(axis=(0, 1)),
            self.along,
        )

    def measured(self, statistic: Callable[[Terms], float]) -> Measured:
        """Return what follows from the terms.

        Its error is by leaving out one at a time of the batches (of every client), of the examples, and of the pairs of
        vectors; that of ``along`` is not in it.
        """
        families = [self._without_batches(), self._without_traces(0), self._without_traces(1)]
        errors = [
            jackknife(lambda sample: statistic(sample.terms), self, parts).error for parts in families if len(parts) > 1
        ]
        return Measured(statistic(self.terms), math.hypot(*errors), self.gradients[0].batches)

    def _without_batches(self) -> Sequence["Sample"]:
        count = self.gradients[0].batches
        return [replace(self, gradients=tuple(own.without(k) for own in self.gradients)) for k in range(count)]

    def _without_traces(self, axis: int) -> Sequence["Sample"]:
        count = self.traces.shape[axis]
        return [replace(self, traces=np.delete(self.traces, i, axis)) for i in range(count)] if count > 1 else []
