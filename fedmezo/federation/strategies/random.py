"""``random``: a rate drawn anew for each client and round."""

from collections.abc import Sequence

from fedmezo.core.randomness import generator, stream_key
from fedmezo.federation.strategies import History, register


@register("random")
class Random:
    """Uniform in [base - half_width, base + half_width]."""

    needs_update_distance = False

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return one draw a client; a client's draw does not depend on who else takes part."""
        return {client: base + half_width * self._draw(history, client) for client in clients}

    def _draw(self, history: History, client: int) -> float:
        key = stream_key(history.seed, "strategy", round_index=history.next_round, client=client)
        return float(generator(key).uniform(-1.0, 1.0))
