"""Gradient fidelity: how well projected gradients match the exact directional derivative.

It is the correlation, over (direction, batch) pairs, of g with gradient . z, the gradient from fp32 backpropagation:
it sees the rounding noise of a dtype and the bias of a large mu alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.randomness import stream_key
from fedmezo.data.batches import Batch
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.scoring import Scorer


@dataclass(frozen=True)
class Fidelity:
    """Projected gradients beside exact derivatives.

    Args:
        correlation: over all pairs.
        pairs: how many there are.
        exact_std: standard deviation of the exact derivatives.
        error_std: of the errors.
        slope: of the line through zero that fits best: a bias that grows with the derivative is seen here.
        error: root mean square of the errors over that of the exact derivatives: a constant bias is in it.
    """

    correlation: float
    pairs: int
    exact_std: float
    error_std: float
    slope: float
    error: float


def gradient(scorer: Scorer, point: Tensor, batch: Batch) -> Tensor:
    """Return the gradient [d] of the batch's loss at a point, by backpropagation."""
    with scorer.at(point) as model:
        values = scorer.values(batch)
        trainable = dict(model.named_parameters())
        tensors = [trainable[span.name] for span in scorer.parameters.spans]
        grads = torch.autograd.grad(values.mean(), tensors)
    return torch.cat([grad.flatten().to(point.device) for grad in grads])


@dataclass(frozen=True)
class Setting:
    """What a fidelity is asked of: a scorer (dtype, adapter), a perturbation scale and an estimator."""

    scorer: Scorer
    mu: float
    estimator: Estimator


def gradient_fidelities(
    settings: Sequence[Setting],
    exact: Scorer,
    point: Tensor,
    batches: Iterable[Batch],
    *,
    directions_per_batch: int,
    seed: int = 0,
) -> list[Fidelity]:
    """Measure the fidelity of several settings on the same directions and batches.

    Args:
        settings: what a run would use.
        exact: the same model in fp32.
        point: where, fp32 [d].
        batches: of the run's size.
        directions_per_batch: pairs are batches times this many; the queries of one step.
        seed: of the directions.
    """
    estimated: list[list[float]] = [[] for _ in settings]
    wanted: list[float] = []
    for number, batch in enumerate(batches):
        slope = gradient(exact, point, batch).double()
        keys = [stream_key(seed, "direction", step=number, query=query) for query in range(directions_per_batch)]
        directions = (exact.directions.values(key, 0, point.numel(), point.device) for key in keys)
        wanted += [float(slope @ z.double()) for z in directions]
        for setting, found in zip(settings, estimated, strict=True):
            losses = partial(setting.scorer.losses, batch=batch)
            learnt = estimate(setting.estimator, losses, point, keys, setting.mu)
            found += [projection.gradient for projection in learnt]
    return [compared(np.array(found), np.array(wanted)) for found in estimated]


def compared(estimated: NDArray[np.float64], wanted: NDArray[np.float64]) -> Fidelity:
    """Return how well projected gradients [n] match exact derivatives [n]."""
    correlation = float(np.corrcoef(estimated, wanted)[0, 1])
    slope = float(estimated @ wanted / (wanted @ wanted))
    error = float(np.linalg.norm(estimated - wanted) / np.linalg.norm(wanted))
    return Fidelity(
        correlation, len(wanted), float(wanted.std()), float((estimated - wanted).std()), slope=slope, error=error
    )
