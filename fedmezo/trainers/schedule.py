"""The schedule of the learning rate over rounds: a factor on what the strategy says."""

from collections.abc import Mapping
from typing import Any

import torch

from fedmezo.errors import ConfigurationError


class Schedule:
    """Factors of a scheduler of :mod:`torch.optim.lr_scheduler`, stepped once a round.

    Args:
        name: class name, or '' for a constant rate.
        arguments: its arguments besides the optimizer.

    Raises:
        ConfigurationError: the scheduler does not take the arguments.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self._factors = [1.0]
        self._optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        if not name:
            self._scheduler = None
            return
        try:
            self._scheduler = getattr(torch.optim.lr_scheduler, name)(self._optimizer, **arguments)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"train.scheduler.type = {name}\n    {dict(arguments)}: {error}") from error
        self._factors = [self._scheduler.get_last_lr()[0]]

    def factor(self, round_index: int) -> float:
        """Return the factor of a round; rounds may be asked for in any order."""
        if self._scheduler is None:
            return 1.0
        while len(self._factors) <= round_index:
            self._optimizer.step()
            self._scheduler.step()
            self._factors.append(self._scheduler.get_last_lr()[0])
        return self._factors[round_index]
