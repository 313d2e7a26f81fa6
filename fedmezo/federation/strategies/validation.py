"""What the server checks of a strategy's answer."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.federation.strategies import Strategy


def checked_rates(strategy: Strategy, rates: Mapping[int, float], clients: Sequence[int]) -> dict[int, float]:
    """Return the rates as plain floats.

    Raises:
        ConfigurationError: they are not one finite number >= 0 for each client; the message names file and line.
    """
    if not isinstance(rates, Mapping) or set(rates) != set(clients) or not all(map(_is_rate, rates.values())):
        raise ConfigurationError(
            f"{defined_at(strategy.rates)}\n    rates returned {rates}\n"
            f"    expected a dict with a finite learning rate >= 0 for each of the clients {list(clients)}"
        )
    return {client: float(rate) for client, rate in rates.items()}


def _is_rate(rate: object) -> bool:
    return isinstance(rate, Real) and math.isfinite(rate) and float(rate) >= 0
