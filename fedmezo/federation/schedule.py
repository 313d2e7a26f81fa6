"""The schedule of the learning rate over rounds: a factor on what the strategy says."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from fedmezo.core.errors import ConfigurationError


class Schedule:
    """Factors of a scheduler of :mod:`torch.optim.lr_scheduler`, stepped once a round.

    Args:
        name: class name, or '' for a constant rate.
        arguments: its arguments besides the optimizer.
        rounds: how many rounds there are.

    Raises:
        ConfigurationError: the scheduler does not take the arguments, or gives a factor that is no rate's.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], rounds: int) -> None:
        try:
            self._factors = _factors(name, arguments, rounds) if name else [1.0] * rounds
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise ConfigurationError(f"train.scheduler.type = {name}\n    {dict(arguments)}: {error}") from error

    def factor(self, round_index: int) -> float:
        """Return the factor of a round."""
        return self._factors[round_index]


def _factors(name: str, arguments: Mapping[str, Any], rounds: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    factors = []
    for _ in range(rounds):
        factors.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    wrong = next((factor for factor in factors if not 0.0 <= factor < math.inf), None)
    if wrong is not None:
        raise ValueError(f"the rate would be multiplied by {wrong}")
    return factors
