# mypy: disable-error-code="no-untyped-def,untyped-decorator,misc"
"""Directions on CUDA devices, compiled by Triton: one program a tile, which is read and written once for all terms.

For fp32 vectors. Not run on a GPU so far: ``tests/core/directions/test_triton_kernel.py`` holds it to the bits of
:mod:`.torch_kernel` where there is one. ``enable_fp_fusion=False`` keeps multiplication and addition two roundings.
"""

from typing import Any

import torch
import triton
import triton.language as tl

from fedmezo.core.directions.distributions.gaussian import table_on
from fedmezo.core.directions.task import Task

TILE = 1024


@triton.jit
def _words(key, block):
    """Return the four words of Philox4x32-10 blocks; ``key`` and ``block`` are int64."""
    c0, c1 = block.to(tl.uint32), (block >> 32).to(tl.uint32)
    c2, c3 = tl.zeros_like(c0), tl.zeros_like(c0)
    k0, k1 = key.to(tl.uint32), (key >> 32).to(tl.uint32)
    for _ in tl.static_range(10):
        p0, p1 = c0.to(tl.uint64) * 0xD2511F53, c2.to(tl.uint64) * 0xCD9E8D57
        c0, c1 = (p1 >> 32).to(tl.uint32) ^ c1 ^ k0, p1.to(tl.uint32)
        c2, c3 = (p0 >> 32).to(tl.uint32) ^ c3 ^ k1, p0.to(tl.uint32)
        k0, k1 = (k0 + 0x9E3779B9).to(tl.uint32), (k1 + 0xBB67AE85).to(tl.uint32)
    return c0, c1, c2, c3


@triton.jit
def _word(words0, words1, words2, words3, which):
    low, high = tl.where(which == 0, words0, words1), tl.where(which == 2, words2, words3)
    return tl.where(which < 2, low, high)


@triton.jit
def _add(
    total,
    mirror,
    source,
    size,
    start,
    factor,
    keys,
    scales,
    terms,
    heights,
    slopes,
    apart: tl.constexpr,
    mirrored: tl.constexpr,
    gaussian: tl.constexpr,
    tile: tl.constexpr,
):
    """Do a task on one tile; element j of the vectors has the flat index start + j."""
    j = tl.program_id(0).to(tl.int64) * tile + tl.arange(0, tile)
    index, inside = start + j, j < size
    origin = tl.load(source + j, mask=inside, other=0.0)
    value = tl.zeros_like(origin) if apart else origin
    for k in range(terms):
        key, scale = tl.load(keys + k), tl.load(scales + k)
        if gaussian:
            w0, w1, w2, w3 = _words(key, index >> 2)
            word = _word(w0, w1, w2, w3, index & 3)
            v = word & 0x7FFFFFFF
            # floor(log2) from the exponent field of the exact conversion to fp64
            exponent = ((v | 64).to(tl.float64).to(tl.int64, bitcast=True) >> 52) - 1029
            shift = exponent.to(tl.uint32)
            top = v >> shift
            cell = (top + (shift << 6)).to(tl.int32)
            within = (v - (top << shift)).to(tl.float32)
            magnitude = tl.load(slopes + cell) * within + tl.load(heights + cell)
            value += tl.where(word > 0x7FFFFFFF, -scale, scale) * magnitude
        else:
            w0, w1, w2, w3 = _words(key, index >> 7)
            word = _word(w0, w1, w2, w3, (index >> 5) & 3)
            bit = (word >> (index & 31).to(tl.uint32)) & 1
            value += tl.where(bit == 1, -scale, scale)
    if mirrored:
        tl.store(mirror + j, origin * factor - value, mask=inside)
    if apart:
        value = origin * factor + value
    tl.store(total + j, value, mask=inside)


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    device, size = task.total.device, task.total.numel()
    if not size:
        return
    launch: Any = _add[(triton.cdiv(size, TILE),)]
    launch(
        task.total,
        task.total if task.mirror is None else task.mirror,
        task.source,
        size,
        task.start,
        1.0 if task.factor is None else task.factor,
        torch.tensor(task.keys, dtype=torch.int64, device=device),
        torch.tensor(task.coefficients, dtype=torch.float32, device=device),
        len(task.keys),
        *table_on(device),
        apart=task.factor is not None,
        mirrored=task.mirror is not None,
        gaussian=task.distribution == "gaussian",
        tile=TILE,
        enable_fp_fusion=False,
    )
