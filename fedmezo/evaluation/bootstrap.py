"""Intervals of means over examples, by the bootstrap."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.randomness import generator, stream_key

RESAMPLES = 2000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over examples, and the bounds of its interval."""

    mean: float
    low: float
    high: float


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> Interval:
    """Return the mean of values and its 95 % percentile interval (Efron 1979): examples are drawn with replacement.

    Args:
        values: of the examples, [n], at least one.
        seed: of what is drawn.
    """
    count = len(values)
    draw = generator(stream_key(seed, "evaluation"))
    drawn = draw.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)  # how often each
    low, high = np.quantile(drawn @ values / count, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(values.mean()), float(low), float(high))
