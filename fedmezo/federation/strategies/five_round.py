"""``five-round``: as ``round-wise``, on the mean train loss of the last five rounds."""

from collections import defaultdict
from collections.abc import Sequence
from math import fsum, isfinite

from fedmezo.federation.strategies import History, register, spread

WINDOW = 5


@register("five-round")
class FiveRound:
    """The signal is the mean of the client's train losses in rounds t - 5 .. t - 1; rounds 0 to 4 use the base rate."""

    needs_update_distance = False

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return the rates spread by the mean train losses of the window."""
        if history.next_round < WINDOW:
            return dict.fromkeys(clients, base)
        losses: defaultdict[int, list[float]] = defaultdict(list)
        for row in history.window(WINDOW):
            if isfinite(row.train_loss):
                losses[row.client].append(row.train_loss)
        signals = {client: fsum(values) / len(values) for client, values in losses.items()}
        return spread(signals, clients, base, half_width)
