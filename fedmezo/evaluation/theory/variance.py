"""Variance of the gradient estimate against its formula.

The estimate of a step is g = (1/Q) sum_q (z_q . grad f_b) z_q. Given the batch, its mean is grad f_b, and

    E ||g||^2 = (d + k - 2 + Q) / Q ||grad f_b||^2

up to O(mu^2) and the rounding of losses, k being the kurtosis of the directions (3 for Gaussian ones, 1 for Rademacher
ones): a variance of (d + k - 2) / Q times ||grad f_b||^2. Over batches
||grad f_b||^2 has the mean ||grad f||^2 + the variance of the batches.

Directions in K blocks take turns, and g = (K/Q) sum_q (z_q . grad f_b) z_q. In a block of n parameters, with m of the
Q directions and the gradient h, that is

    (K / Q)^2 m (n + k - 2 + m) ||h||^2

of which E ||g||^2 is the sum over blocks; where Q is a multiple of K, m = Q / K and the factor is (n + k - 2 + m) / m.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import registry
from fedmezo.core.directions.scaled import Directions
from fedmezo.data.batches import Batch
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.landscape import NotFiniteError
from fedmezo.evaluation.theory.measured import Measured, mean
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.scoring import Scorer


def second_moment(distribution: str, size: int, inside: int, scale: float) -> float:
    """Return E ||g||^2 / ||h||^2 in a block.

    Args:
        distribution: of the directions.
        size: n.
        inside: m, how many directions are in the block.
        scale: of their sum, K / Q.
    """
    return scale**2 * inside * (size + registry[distribution].kurtosis - 2 + inside)


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
    squared_norms: Sequence[Sequence[float]],
    keys: Sequence[Sequence[Sequence[int]]],
    division: Division,
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
        squared_norms: of the gradient of each of them in each block [m, B].
        keys: of the directions of each estimate [m, n, Q].
        division: into the blocks that directions are in.
        mu: of the run.
        estimator: likewise.
        on_estimate: told of every estimate that is done.

    Raises:
        NotFiniteError: a loss is not finite.
    """
    unscaled = replace(scorer.directions, parts=tuple(part._replace(scale=1.0) for part in scorer.directions.parts))
    scale = len(division.order.used) / len(keys[0][0])
    squares, expected = [], []
    for batch, exact, own in zip(batches, squared_norms, keys, strict=True):
        for some in own:
            losses = partial(scorer.losses, batch=batch)
            found = estimate(estimator, losses, point, some, mu)
            total = torch.zeros(point.numel(), device=point.device)
            unscaled.add(total, some, [each.gradient * scale for each in found])
            squares.append(float(total.double().square().sum()))
            if not math.isfinite(squares[-1]):
                raise NotFiniteError("the loss, as the run computes it, is not finite")
            expected.append(_expected(unscaled, some, division, exact, scale))
            on_estimate()
    ratios = [square / each for square, each in zip(squares, expected, strict=True) if each > 0.0]
    return Variance(mean(squares), sum(expected) / len(expected), mean(ratios))


def _expected(
    directions: Directions, keys: Sequence[int], division: Division, exact: Sequence[float], scale: float
) -> float:
    """Return E ||g||^2, given the blocks of an estimate's directions and the batch's gradient in each block [B]."""
    inside = Counter(directions.block(key) for key in keys)
    return sum(
        second_moment(directions.distribution, size, inside[block], scale) * own
        for block, (size, own) in enumerate(zip(division.sizes, exact, strict=True))
    )
