"""Portable directions: z(key)[i] is a function of the stream key and the flat index i alone.

The bits come from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), with the
63-bit stream key as its key and the block number as its counter, in integer arithmetic. From bits to values:

- ``gaussian``: element i takes word i % 4 of block i // 4. Its top bit is the sign; its other 31 bits v are a tail
  probability (v + 1/2) / 2**32, whose normal quantile is read from a table: a cell per 1/64 octave of v, linear within
  the cell. The only floating-point operations are one fp32 multiplication and one fp32 addition, each rounded, so the
  value is the same on every device; ``log`` and ``cos`` would differ in the last bit between libraries.
- ``rademacher``: element i takes bit i % 32 of word (i // 32) % 4 of block i // 128; 1 means -1.

Values do not depend on device, dtype of a target, thread count, chunking, tensor order or torch version.
"""

import hashlib
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Distribution = Literal["gaussian", "rademacher"]

CHUNK = 1 << 20  # elements made at a time; a multiple of 128, so that chunks begin at block borders
TABLE_DIGEST = "48fea45b89f028c9f08b16a1f2f324a0"

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_CELL_BITS = 6
_CELLS = 1 << _CELL_BITS


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


def quantile_table() -> tuple[np.ndarray, np.ndarray]:
    """Return (value at a cell's start, slope per unit of v), both fp32 [1664], of the upper normal quantile.

    Cell c < 64 holds v = c alone. Cell c >= 64 holds the v of exponent e = 5 + c // 64 whose next six bits are
    c % 64: 2**(e - 6) values.
    """
    cells = (31 - _CELL_BITS + 1) * _CELLS
    quantile = NormalDist().inv_cdf
    edges = [_first_of_cell(cell) for cell in range(cells + 1)]
    values = [-quantile((v + 0.5) / 2**32) for v in edges]
    slopes = [(values[cell + 1] - values[cell]) / (edges[cell + 1] - edges[cell]) for cell in range(cells)]
    return np.array(values[:cells], dtype=np.float32), np.array(slopes, dtype=np.float32)


def _first_of_cell(cell: int) -> int:
    if cell < _CELLS:
        return cell
    return (_CELLS + cell % _CELLS) << (cell // _CELLS - 1)


@lru_cache(maxsize=8)
def _table_on(device: torch.device) -> tuple[Tensor, Tensor]:
    values, slopes = quantile_table()
    if hashlib.blake2b(values.tobytes() + slopes.tobytes(), digest_size=16).hexdigest() != TABLE_DIGEST:
        raise RuntimeError("this platform computes another normal quantile table; directions would not be portable")
    return torch.from_numpy(values).to(device), torch.from_numpy(slopes).to(device)


def _gaussian(words: Tensor) -> Tensor:
    values, slopes = _table_on(words.device)
    v = words & 0x7FFFFFFF
    # the exponent field of a float64 is floor(log2 v) + 1023, exactly; cells below 64 hold single values
    shift = (((v | _CELLS).double().view(torch.int64) >> 52) - (1023 + _CELL_BITS)).clamp_(min=0)
    cell = (v >> shift) + (shift << _CELL_BITS)
    within = (v - ((v >> shift) << shift)).float()  # below 2**24, so exact in fp32
    magnitude = slopes[cell].mul_(within).add_(values[cell])
    return torch.where(words > 0x7FFFFFFF, -magnitude, magnitude)


def _rademacher(words: Tensor) -> Tensor:
    bits = torch.arange(32, device=words.device)
    return 1.0 - 2.0 * ((words.unsqueeze(-1) >> bits) & 1).float()


_PER_BLOCK = {"gaussian": 4, "rademacher": 128}


def direction(
    key: int,
    start: int,
    stop: int,
    distribution: Distribution = "gaussian",
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return z(key)[start:stop] as an fp32 tensor [stop - start].

    Args:
        key: stream key of :func:`fedmezo.randomness.stream_key`.
        start, stop: flat indices, 0 <= start <= stop.
        distribution: ``gaussian`` (mean 0, variance 1) or ``rademacher`` (-1 or +1).
        device: where to compute.

    Examples:
        >>> bool((direction(7, 0, 100)[40:60] == direction(7, 40, 60)).all())
        True
    """
    per_block = _PER_BLOCK[distribution]
    first_block = start // per_block
    words = philox(key, first_block, -(-stop // per_block) - first_block, device)
    values = _gaussian(words) if distribution == "gaussian" else _rademacher(words)
    offset = first_block * per_block
    return values.flatten()[start - offset : stop - offset]
