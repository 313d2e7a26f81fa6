"""``by_size``: clients that hold more examples are drawn more often."""

from collections.abc import Sequence

import numpy as np

from fedmezo.federation.sampling import Draw, register


@register("by_size")
class BySize:
    """Drawn without replacement, one after the other in proportion to their examples (Li et al., ICLR 2020, scheme I).

    The scheme's average is then over clients of equal weight: ``federate.ignore_weight True``.
    """

    def clients(self, draw: Draw) -> Sequence[int]:
        """Return the clients, ascending."""
        shares = np.maximum(np.asarray(draw.sizes, dtype=np.float64), 1e-9)  # one without examples is drawn last
        chosen = draw.generator.choice(len(shares), size=draw.count, replace=False, p=shares / shares.sum())
        return sorted(chosen.tolist())
