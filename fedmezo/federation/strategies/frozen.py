"""``frozen``: the base rate, always."""

from collections.abc import Sequence

from fedmezo.federation.strategies import History, register


@register("frozen")
class Frozen:
    """Every client, every round: the base rate."""

    needs_update_distance = False

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return the base rate for each client."""
        return dict.fromkeys(clients, base)
