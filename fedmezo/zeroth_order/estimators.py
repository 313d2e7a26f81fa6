"""Gradient estimators: the projected gradient of a loss along a direction."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """What one query learns: the projected gradient, and the loss at theta + mu z that is reported."""

    gradient: float
    loss: float


def central_difference(loss: Callable[[Tensor], float], point: Tensor, direction: Tensor, mu: float) -> Projection:
    """Return g = (L(theta + mu z) - L(theta - mu z)) / (2 mu).

    Source: MeZO (Malladi et al., NeurIPS 2023), algorithm 1; SPSA (Spall, 1992).

    Args:
        loss: the loss of a parameter point [d].
        point: theta, fp32 [d].
        direction: z, fp32 [d].
        mu: perturbation scale.
    """
    step = direction * mu
    above = loss(point + step)
    below = loss(point - step)
    return Projection((above - below) / (2.0 * mu), above)
