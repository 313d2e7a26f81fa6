"""Gradient fidelity: how well projected gradients match the exact directional derivative.

It is the correlation, over (direction, batch) pairs, of g with gradient . z, the gradient from fp32 backpropagation:
it sees the rounding noise of a dtype and the bias of a large mu alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fedmezo.data.batches import Batch
from fedmezo.models.scoring import Scorer
from fedmezo.randomness import stream_key
from fedmezo.zeroth_order.estimators import CentralDifference, estimate


@dataclass(frozen=True)
class Fidelity:
    """Correlation over ``pairs`` pairs, and the standard deviations of the exact derivative and of the error."""

    correlation: float
    pairs: int
    exact_std: float
    error_std: float


def gradient(scorer: Scorer, point: Tensor, batch: Batch) -> Tensor:
    """Return the gradient [d] of the batch's loss at a point, by backpropagation."""
    with scorer.at(point) as model:
        values = scorer.values(model, batch)
        trainable = dict(model.named_parameters())
        tensors = [trainable[span.name] for span in scorer.parameters.spans]
        grads = torch.autograd.grad(values.mean(), tensors)
    return torch.cat([grad.flatten().to(point.device) for grad in grads])


def gradient_fidelity(
    scorer: Scorer,
    exact: Scorer,
    point: Tensor,
    batches: Sequence[Batch],
    *,
    mu: float,
    directions_per_batch: int,
    seed: int = 0,
) -> Fidelity:
    """Measure the fidelity of a scorer.

    Args:
        scorer: what the run would use (dtype, adapter).
        exact: the same model in fp32.
        point: where, fp32 [d].
        batches: of the run's size.
        mu: perturbation scale.
        directions_per_batch: pairs are batches times this many.
        seed: of the directions.
    """
    rows = []
    for number, batch in enumerate(batches):
        slope = gradient(exact, point, batch).double()
        for query in range(directions_per_batch):
            key = stream_key(seed, "direction", step=number, query=query)
            z = scorer.directions.values(key, 0, point.numel(), point.device)
            (found,) = estimate(CentralDifference(), partial(scorer.losses, batch=batch), point, [key], mu)
            rows.append((found.gradient, float(slope @ z.double())))
    estimated, wanted = np.array(rows).T
    correlation = float(np.corrcoef(estimated, wanted)[0, 1])
    return Fidelity(correlation, len(rows), float(wanted.std()), float((estimated - wanted).std()))
