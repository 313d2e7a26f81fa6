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
    return [_distance(point, mean, spans) for point in points()] if count else []


def _mean(points: Iterator[Tensor]) -> tuple[np.ndarray, int]:
    total, count = np.zeros(1), 0
    for count, point in enumerate(points, start=1):
        total = _array(point) if count == 1 else np.add(total, _array(point), out=total)
    total /= max(count, 1)
    return total, count


def _array(point: Tensor) -> np.ndarray:
    return point.detach().cpu().numpy().astype(np.float64)


def _distance(point: Tensor, mean: np.ndarray, spans: tuple[Span, ...]) -> float:
    # numpy sums on one thread, so that the bits do not depend on the number of threads
    differences = (_array(point[span.start : span.stop]) - mean[span.start : span.stop] for span in spans)
    return math.fsum(float(np.sqrt(np.square(each).sum())) for each in differences)
