"""``round_robin``: one client after the other."""

from collections.abc import Sequence

from fedmezo.federation.sampling import Draw, register


@register("round_robin")
class RoundRobin:
    """The clients in turn, so that all have taken part equally often after a few rounds.

    Examples:
        >>> RoundRobin().clients(Draw(seed=0, round_index=1, count=2, sizes=[5, 5, 5]))
        [0, 2]
    """

    def clients(self, draw: Draw) -> Sequence[int]:
        """Return the clients, ascending."""
        first = draw.round_index * draw.count
        return sorted((first + offset) % len(draw.sizes) for offset in range(draw.count))
