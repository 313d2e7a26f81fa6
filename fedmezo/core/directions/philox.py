"""Philox4x32-10: uniform words, each a function of a key and a counter alone.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(key: int, first_block: int, blocks: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the words of consecutive Philox4x32-10 blocks.

    Args:
        key: 64-bit key; its low half is the first key word.
        first_block: counter of the first block (words 0 and 1 of the counter; words 2 and 3 are 0).
        blocks: how many blocks.
        device: where to compute.

    Returns:
        int64 tensor [blocks, 4] of values below 2**32.
    """
    counter = torch.arange(first_block, first_block + blocks, dtype=torch.int64, device=device)
    c0, c1 = counter & _MASK, counter >> 32
    c2, c3 = torch.zeros_like(c0), torch.zeros_like(c0)
    k0, k1 = key & _MASK, key >> 32
    for _ in range(10):
        # int64 products wrap modulo 2**64: the bit pattern is exact, so the mask after >> recovers the high word
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = ((p1 >> 32) & _MASK).bitwise_xor_(c1).bitwise_xor_(k0), p1.bitwise_and_(_MASK)
        c2, c3 = ((p0 >> 32) & _MASK).bitwise_xor_(c3).bitwise_xor_(k1), p0.bitwise_and_(_MASK)
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return torch.stack((c0, c1, c2, c3), dim=1)
