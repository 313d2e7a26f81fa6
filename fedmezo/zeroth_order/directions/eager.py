"""Directions in plain torch operations: on any device, and what the compiled kernels are compared with."""

from functools import lru_cache

import torch
from torch import Tensor

from fedmezo.zeroth_order.directions.table import CELL_BITS, CELLS, quantile_table
from fedmezo.zeroth_order.directions.task import Task

CHUNK = 1 << 20  # elements made at a time; a multiple of 128, so that chunks begin at block borders

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_PER_BLOCK = {"gaussian": 4, "rademacher": 128}


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.zeroth_order.directions.accumulate`."""
    size = task.total.numel()
    for begin in range(0, size, CHUNK):
        end = min(begin + CHUNK, size)
        source = task.source[begin:end]
        part = source.clone() if task.factor is None else torch.zeros_like(source)
        for key, coefficient in zip(task.keys, task.coefficients, strict=True):
            z = values(key, task.start + begin, task.start + end, task.distribution, source.device)
            part.add_(z.to(source.dtype).mul_(coefficient))
        if task.factor is not None:
            scaled = source * task.factor
            if task.mirror is not None:
                task.mirror[begin:end] = scaled - part
            part.add_(scaled)
        task.total[begin:end] = part


def values(key: int, start: int, stop: int, distribution: str, device: torch.device | str = "cpu") -> Tensor:
    """Return z(key)[start:stop], fp32."""
    per_block = _PER_BLOCK[distribution]
    first_block = start // per_block
    words = philox(key, first_block, -(-stop // per_block) - first_block, device)
    found = _gaussian(words) if distribution == "gaussian" else _rademacher(words)
    offset = first_block * per_block
    return found.flatten()[start - offset : stop - offset]


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


@lru_cache(maxsize=8)
def table_on(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the quantile table on a device."""
    heights, slopes = quantile_table()
    return torch.from_numpy(heights).to(device), torch.from_numpy(slopes).to(device)


def _gaussian(words: Tensor) -> Tensor:
    heights, slopes = table_on(words.device)
    v = words & 0x7FFFFFFF
    # the exponent field of a float64 is floor(log2 v) + 1023, exactly; cells below 64 hold single values
    shift = (((v | CELLS).double().view(torch.int64) >> 52) - (1023 + CELL_BITS)).clamp_(min=0)
    cell = (v >> shift) + (shift << CELL_BITS)
    within = (v - ((v >> shift) << shift)).float()  # below 2**25 and a multiple of 2: exact in fp32
    magnitude = slopes[cell].mul_(within).add_(heights[cell])
    return torch.where(words > 0x7FFFFFFF, -magnitude, magnitude)


def _rademacher(words: Tensor) -> Tensor:
    bits = torch.arange(32, device=words.device)
    return 1.0 - 2.0 * ((words.unsqueeze(-1) >> bits) & 1).float()
