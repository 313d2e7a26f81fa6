"""``central``: the difference of two losses, on both sides of the point."""

from collections.abc import Sequence

from fedmezo.zeroth_order.estimators import Lane, Projection, register


@register("central")
class CentralDifference:
    """g = (L(theta + mu z) - L(theta - mu z)) / (2 mu) along each direction; L(theta + mu z) is reported.

    Source: MeZO (Malladi et al., NeurIPS 2023), algorithm 1; SPSA (Spall, 1992).
    """

    def lanes(self, keys: Sequence[int], mu: float) -> list[Lane]:
        """Return the plus signs, then the minus signs [2Q]."""
        return [Lane(key, sign) for sign in (mu, -mu) for key in keys]

    def projections(self, losses: Sequence[float], mu: float) -> list[Projection]:
        """Return what each pair has learnt [Q]."""
        half = len(losses) // 2
        signs = zip(losses[:half], losses[half:], strict=True)
        return [Projection((above - below) / (2.0 * mu), above) for above, below in signs]
