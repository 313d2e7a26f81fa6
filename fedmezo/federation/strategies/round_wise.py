"""``round-wise``: clients with a higher train loss in the last round get a higher rate."""

from collections.abc import Sequence
from math import isfinite

from fedmezo.federation.strategies import History, register, spread


@register("round-wise")
class RoundWise:
    """The signal is the client's train loss in the round before; round 0 has none."""

    needs_update_distance = False

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return the rates spread by last round's train losses."""
        signals = {row.client: row.train_loss for row in history.window(1) if isfinite(row.train_loss)}
        return spread(signals, clients, base, half_width)
