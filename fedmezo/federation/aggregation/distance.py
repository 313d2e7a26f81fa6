"""How far each client's update lies from the mean update: the signal of the ``model-diff`` strategy."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from fedmezo.models.flat_parameters import Span


def update_distances(points: Callable[[], Iterator[Tensor]], spans: tuple[Span, ...]) -> list[float]:
    """Return s_i = sum over parameter tensors of || Delta_i - mean_j Delta_j ||_2 for every client.

    All clients start from the same parameters, so the difference of updates is the difference of end points.

    Args:
        points: gives the clients' end points, fp32 [d] each, in order; called twice, so that a caller that can make
            them anew holds one at a time.
        spans: the parameter tensors inside the flat vector.
    """
    mean, count = _mean(points())
    return [_distance(_array(point) - mean, spans) for point in points()] if count else []


def _mean(points: Iterator[Tensor]) -> tuple[np.ndarray, int]:
    total, count = np.zeros(1), 0
    for count, point in enumerate(points, start=1):  # noqa: B007 - the count is wanted after the loop
        total = total + _array(point)
    return total / max(count, 1), count


def _array(point: Tensor) -> np.ndarray:
    return point.detach().cpu().numpy().astype(np.float64)


def _distance(difference: np.ndarray, spans: tuple[Span, ...]) -> float:
    # numpy sums on one thread, so that the bits do not depend on the number of threads
    return math.fsum(float(np.sqrt(np.square(difference[span.start : span.stop]).sum())) for span in spans)
