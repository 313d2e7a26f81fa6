"""``uniform``: every set of clients is equally likely."""

from collections.abc import Sequence

from fedmezo.federation.sampling import Draw, register


@register("uniform")
class Uniform:
    """Drawn without replacement (McMahan et al., AISTATS 2017, algorithm 1).

    Examples:
        >>> Uniform().clients(Draw(seed=0, round_index=7, count=4, sizes=[5, 5, 5, 5]))
        [0, 1, 2, 3]
    """

    def clients(self, draw: Draw) -> Sequence[int]:
        """Return the clients, ascending."""
        return sorted(draw.generator.choice(len(draw.sizes), size=draw.count, replace=False).tolist())
