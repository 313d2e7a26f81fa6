"""``rademacher``: -1 or 1, a bit each."""

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import register


@register("rademacher")
class Rademacher:
    """Bit i % 32 of word i // 32 is value i of a block; a bit that is set means -1."""

    per_block = 128
    kurtosis = 1.0

    def values(self, words: Tensor) -> Tensor:
        """Return a value a bit [blocks, 128]."""
        bits = (words.unsqueeze(-1) >> torch.arange(32, device=words.device)) & 1
        return 1.0 - 2.0 * bits.flatten(1).float()
