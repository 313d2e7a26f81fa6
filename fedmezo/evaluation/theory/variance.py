"""Variance of the gradient estimate against its formula.

The estimate of a step is g = (1/Q) sum_q (z_q . grad f_b) z_q. Given the batch, its mean is grad f_b, and

    E ||g||^2 = (d + k - 2 + Q) / Q ||grad f_b||^2

up to O(mu^2) and the rounding of losses, k being the kurtosis of the directions (3 for Gaussian ones, 1 for Rademacher
ones): a variance of (d + k - 2) / Q times ||grad f_b||^2. Over batches
||grad f_b||^2 has the mean ||grad f||^2 + the variance of the batches.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import registry
from fedmezo.core.directions.scaled import Directions
from fedmezo.data.batches import Batch
from fedmezo.evaluation.theory.landscape import NotFiniteError
from fedmezo.evaluation.theory.measured import Measured, mean
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.scoring import Scorer


def second_moment(distribution: str, size: int, queries: int) -> float:
    """Return E ||g||^2 / ||grad f_b||^2 of the mean of Q queries in d dimensions."""
    return (size + registry[distribution].kurtosis - 2 + queries) / queries


@dataclass(frozen=True)
class Variance:
    """Second moments of a step's estimate.

    Args:
        measured: E ||g||^2.
        formula: what the formula makes of the same batches' gradients.
        ratio: mean of ||g||^2 over the formula, estimate by estimate; 1 if the formula holds.
    """

    measured: Measured
    formula: float
    ratio: Measured


def measure_variance(
    scorer: Scorer,
    point: Tensor,
    batches: Sequence[Batch],
    squared_norms: Sequence[float],
    keys: Sequence[Sequence[Sequence[int]]],
    *,
    mu: float,
    estimator: Estimator,
    on_estimate: Callable[[], object] = lambda: None,
) -> Variance:
    """Estimate gradients as a run's steps do.

    Args:
        scorer: of the run.
        point: where, [d].
        batches: of the run's size [m].
        squared_norms: ||grad f_b||^2 of each of them [m].
        keys: of the directions of each estimate [m, n, Q].
        mu: of the run.
        estimator: likewise.
        on_estimate: told of every estimate that is done.

    Raises:
        NotFiniteError: a loss is not finite.
    """
    distribution, queries = scorer.directions.distribution, len(keys[0][0])
    factor = second_moment(distribution, point.numel(), queries)
    squares, expected = [], []
    for batch, exact, own in zip(batches, squared_norms, keys, strict=True):
        for some in own:
            losses = partial(scorer.losses, batch=batch)
            found = estimate(estimator, losses, point, some, mu)
            total = torch.zeros(point.numel(), device=point.device)
            Directions(distribution).add(total, some, [each.gradient / queries for each in found])
            squares.append(float(total.double().square().sum()))
            if not math.isfinite(squares[-1]):
                raise NotFiniteError("the loss, as the run computes it, is not finite")
            expected.append(factor * exact)
            on_estimate()
    ratios = [square / each for square, each in zip(squares, expected, strict=True) if each > 0.0]
    return Variance(mean(squares), sum(expected) / len(expected), mean(ratios))
