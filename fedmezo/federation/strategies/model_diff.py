"""``model-diff``: clients whose update lies further from the mean update get a higher rate."""

from collections.abc import Sequence
from math import isfinite

from fedmezo.federation.strategies import History, register, spread


@register("model-diff")
class ModelDiff:
    """The signal is last round's update distance, summed over parameter tensors; round 0 has none."""

    needs_update_distance = True

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return the rates spread by last round's update distances."""
        signals = {
            row.client: row.update_distance
            for row in history.window(1)
            if row.update_distance is not None and isfinite(row.update_distance)
        }
        return spread(signals, clients, base, half_width)
