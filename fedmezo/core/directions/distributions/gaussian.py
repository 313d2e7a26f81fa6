"""``gaussian``: normal quantiles of the bits, from a table."""

from functools import lru_cache

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import register
from fedmezo.core.directions.quantile_table import CELL_BITS, CELLS, quantile_table


@register("gaussian")
class Gaussian:
    """The top bit of a word is the sign; its other 31 bits v are a tail probability (v + 1/2) / 2**32.

    The magnitude is the quantile of that, read from a table, linear within a cell: one fp32 multiplication and one
    fp32 addition.
    """

    per_block = 4
    kurtosis = 3.0

    def values(self, words: Tensor) -> Tensor:
        """Return a value a word [blocks, 4]."""
        heights, slopes = table_on(words.device)
        v = words & 0x7FFFFFFF
        # the exponent field of a float64 is floor(log2 v) + 1023, exactly; cells below 64 hold single values
        shift = (((v | CELLS).double().view(torch.int64) >> 52) - (1023 + CELL_BITS)).clamp_(min=0)
        cell = (v >> shift) + (shift << CELL_BITS)
        within = (v - ((v >> shift) << shift)).float()  # below 2**25 and a multiple of 2: exact in fp32
        magnitude = slopes[cell].mul_(within).add_(heights[cell])
        return torch.where(words > 0x7FFFFFFF, -magnitude, magnitude)


@lru_cache(maxsize=8)
def table_on(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the quantile table on a device."""
    heights, slopes = quantile_table()
    return torch.from_numpy(heights).to(device), torch.from_numpy(slopes).to(device)
