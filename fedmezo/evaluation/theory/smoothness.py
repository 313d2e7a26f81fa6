"""Smoothness along the path: ||grad f(x) - grad f(y)|| / ||x - y|| of two points of a run.

It is the curvature in the direction in which the run moved, most of which is noise in all directions: a lower bound of
L, which the top eigenvalue of the Hessian is at a point.
"""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.evaluation.theory.heterogeneity import inner_products, measured
from fedmezo.evaluation.theory.measured import Measured


def secant_smoothness(before: Tensor, after: Tensor, weights: NDArray[np.float64], distance: float) -> Measured:
    """Return L of the mean loss of some batches between two points.

    Args:
        before: gradients of the same batches at the points [N, K, d].
        after: likewise.
        weights: of the clients [N].
        distance: of the points, not zero.
    """
    change = inner_products(after - before, weights)
    return measured(lambda points: math.sqrt(max(0.0, points[0].sampled_squared_norm)) / distance, [change])
