# mypy: disable-error-code="no-untyped-def,untyped-decorator,misc"
"""Directions on CUDA devices, compiled by Triton: one program a tile, which is read and written once for all terms.

A Philox block is computed once for all the elements that it has bits for, four or 128. Tiles begin where a block does,
so that the first one may reach back before the vector. ``enable_fp_fusion=False`` keeps multiplication and addition two
roundings. A bf16 vector is passed as its bits, 16 a value.

Not run on a GPU so far: ``tests/core/directions/test_triton_kernel.py`` interprets it, holds it to the bits of
:mod:`.torch_kernel`, and looks at what it is compiled to.
"""

from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from fedmezo.core.directions.distributions.gaussian import table_on
from fedmezo.core.directions.task import Task
from fedmezo.core.directions.torch_kernel import INFINITE, LARGEST

TILE = 1024
NEVER, NEAREST, STOCHASTIC = 0, 1, 2  # rounding to bf16

_INFINITE, _LARGEST = tl.constexpr(INFINITE), tl.constexpr(LARGEST)


@triton.jit
def _words(key, block):
    """Return the words of some Philox4x32-10 blocks [n], in order [4 n]; ``key`` and ``block`` are int64."""
    c0, c1 = block.to(tl.uint32), (block >> 32).to(tl.uint32)
    c2, c3 = tl.zeros_like(c0), tl.zeros_like(c0)
    k0, k1 = key.to(tl.uint32), (key >> 32).to(tl.uint32)
    for _ in tl.static_range(10):
        p0, p1 = c0.to(tl.uint64) * 0xD2511F53, c2.to(tl.uint64) * 0xCD9E8D57
        c0, c1 = (p1 >> 32).to(tl.uint32) ^ c1 ^ k0, p1.to(tl.uint32)
        c2, c3 = (p0 >> 32).to(tl.uint32) ^ c3 ^ k1, p0.to(tl.uint32)
        k0, k1 = (k0 + 0x9E3779B9).to(tl.uint32), (k1 + 0xBB67AE85).to(tl.uint32)
    return tl.reshape(tl.join(tl.join(c0, c2), tl.join(c1, c3)), (4 * block.shape[0],))


@triton.jit
def _quantile(word, table):
    """Return the normal quantile of the lower 31 bits of some words."""
    v = word & 0x7FFFFFFF
    u = v | 64
    # floor(log2 u) is the exponent of its fp32; a one below another is cleared, or rounding could carry
    exponent = ((u ^ (u & (u >> 1))).to(tl.float32).to(tl.int32, bitcast=True) >> 23) - 127
    shift = (exponent - 6).to(tl.uint32)
    top = v >> shift
    cell = (top + (shift << 6)).to(tl.int32)
    within = (v - (top << shift)).to(tl.float32)
    both = tl.load(table + cell)  # slope and height, in one load
    slope = both.to(tl.uint32).to(tl.float32, bitcast=True)
    height = (both >> 32).to(tl.uint32).to(tl.float32, bitcast=True)
    return slope * within + height


@triton.jit
def _term(key, scale, block, table, gaussian: tl.constexpr):
    """Return scale * z [tile] of the blocks of a tile."""
    if gaussian:
        word = _words(key, block)
        term = tl.where(word > 0x7FFFFFFF, -scale, scale) * _quantile(word, table)
    else:
        word = _words(key, block)
        bits = word[:, None] >> tl.arange(0, 32).to(tl.uint32)[None, :]
        bit = tl.reshape(bits, (32 * word.shape[0],)) & 1
        term = tl.where(bit == 1, -scale, scale)
    return term


@triton.jit
def _half(value, key, block, stochastic: tl.constexpr):
    """Return the bits of some values as bf16; ``block`` is that of eight elements each."""
    bits = value.to(tl.uint32, bitcast=True)
    size = bits & 0x7FFFFFFF
    if stochastic:
        word = _words(key, block)
        draws = tl.reshape(tl.join(word & 0xFFFF, word >> 16), (2 * word.shape[0],))
    else:
        draws = 0x7FFF + ((bits >> 16) & 1)
    found = tl.where(size < _LARGEST, bits + draws, bits) >> 16
    return (found | tl.where(size > _INFINITE, 64, 0).to(tl.uint32)).to(tl.uint16).to(tl.int16, bitcast=True)


@triton.jit(do_not_specialize=["size", "start", "factor", "key", "scale", "terms", "rounding"])
def _add(
    total,
    mirror,
    source,
    size: tl.int64,
    start: tl.int64,
    factor: tl.float32,
    key: tl.int64,
    scale: tl.float32,
    packed,
    terms: tl.int32,
    table,
    rounding: tl.int64,
    single: tl.constexpr,
    apart: tl.constexpr,
    mirrored: tl.constexpr,
    gaussian: tl.constexpr,
    half_source: tl.constexpr,
    half_total: tl.constexpr,
    tile: tl.constexpr,
):
    """Do a task on one tile; element j of the vectors has the flat index start + j."""
    per: tl.constexpr = 4 if gaussian else 128
    aligned: tl.constexpr = 8 if gaussian else 128  # to what rounding takes, too
    first = start // aligned * aligned + tl.program_id(0).to(tl.int64) * tile
    j = first - start + tl.arange(0, tile)
    inside = (j >= 0) & (j < size)
    block = first // per + tl.arange(0, tile // per)
    if half_source:
        origin = (tl.load(source + j, mask=inside, other=0).to(tl.uint32) << 16).to(tl.float32, bitcast=True)
    else:
        origin = tl.load(source + j, mask=inside, other=0.0)
    value = tl.zeros_like(origin) if apart else origin
    if single:
        value += _term(key, scale, block, table, gaussian)
    else:
        for k in range(terms):
            bits = tl.load(packed + 2 * k + 1).to(tl.uint32)
            value += _term(tl.load(packed + 2 * k), bits.to(tl.float32, bitcast=True), block, table, gaussian)
    if mirrored:
        tl.store(mirror + j, origin * factor - value, mask=inside)
    if apart:
        value = origin * factor + value
    if half_total:
        eighths = first // 8 + tl.arange(0, tile // 8)
        tl.store(total + j, _half(value, rounding, eighths, half_total == 2), mask=inside)
    else:
        tl.store(total + j, value, mask=inside)


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    device, size = task.total.device, task.total.numel()
    if not size:
        return
    total, source = _bits(task.total), _bits(task.source)
    single, gaussian = len(task.keys) == 1, task.distribution == "gaussian"
    rounds = STOCHASTIC if task.rounding is not None else NEAREST
    reach = task.start % (8 if gaussian else 128)
    launch: Any = _add[(triton.cdiv(size + reach, TILE),)]
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():  # the current one may be another
        launch(
            total,
            total if task.mirror is None else task.mirror,
            source,
            size,
            task.start,
            1.0 if task.factor is None else task.factor,
            task.keys[0] if single else 0,
            task.coefficients[0] if single else 0.0,
            total if single else _packed(task, device),
            len(task.keys),
            packed_table(device),
            task.rounding or 0,
            single=single,
            apart=task.factor is not None,
            mirrored=task.mirror is not None,
            gaussian=gaussian,
            half_source=source.dtype == torch.int16,
            half_total=rounds if total.dtype == torch.int16 else NEVER,
            tile=TILE,
            enable_fp_fusion=False,
        )


def _bits(vector: Tensor) -> Tensor:
    return vector.view(torch.int16) if vector.dtype == torch.bfloat16 else vector


def _packed(task: Task, device: torch.device) -> Tensor:
    """Return keys and the bits of coefficients [K, 2], int64, in one transfer that nobody waits for."""
    scales = np.array(task.coefficients, dtype=np.float32).view(np.uint32)
    rows = torch.tensor([[key, int(bits)] for key, bits in zip(task.keys, scales, strict=True)], dtype=torch.int64)
    return rows.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else rows


@lru_cache(maxsize=8)
def packed_table(device: torch.device) -> Tensor:
    """Return the quantile table on a device: a slope in the lower half of an int64, a height in the upper one."""
    heights, slopes = table_on(torch.device("cpu"))
    return torch.stack([slopes, heights], dim=1).contiguous().view(torch.int64).flatten().to(device)
