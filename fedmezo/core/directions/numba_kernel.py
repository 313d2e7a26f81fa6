# mypy: disable-error-code="untyped-decorator"
"""Directions on the CPU, compiled by numba: vectorised, on several threads, each part of the vector read once.

Compiled code is kept beside the sources, or in the cache folder where these are read-only. numba does not contract
``a + c * z`` into a fused multiply-add unless told to (``fastmath``), which is what keeps the bits.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.cache import cache_folder
from fedmezo.core.directions.quantile_table import quantile_table
from fedmezo.core.directions.task import Task
from fedmezo.core.directions.torch_kernel import INFINITE, LARGEST
from fedmezo.core.user import is_private, is_writable

TILE = 1024  # elements worked on at a time: they stay in the first-level cache while all terms are added
_SMALLEST_SHARE = 1 << 16  # elements below which another thread costs more than it gives

_U32 = np.uint32
_LOW = np.uint64(0xFFFFFFFF)


def _choose_place() -> None:
    """Have numba keep compiled code in the cache folder where the sources are read-only.

    It is loaded as code: a folder in which others may write does not do.
    """
    sources = Path(__file__).parent
    beside = sources / "__pycache__"
    if config.CACHE_DIR or is_writable(beside if beside.is_dir() else sources):
        return
    if is_private(folder := cache_folder() / "numba"):
        config.CACHE_DIR = str(folder)


def _compiled(function: Any) -> Any:
    """Return a function that is compiled at its first call, and kept if there is a place for it."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # there is none
        return njit(nogil=True, error_model="numpy")(function)


_choose_place()


def _count_leading_zeros(typingctx: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, False))

    return types.uint32(types.uint32), codegen


def _bits_of_a_float(typingctx: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), codegen


def _float_of_bits(typingctx: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), codegen


def _fp32_of_either(typingctx: Any, value: Any) -> Any:
    """Give an fp32 as it is, and the bits of a bf16 as the fp32 that it is."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if value == types.float32:
            return arguments[0]
        word = builder.zext(arguments[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.Constant(ir.IntType(32), 16)), ir.FloatType())

    return types.float32(value), codegen


_exact: Any = intrinsic(_fp32_of_either)
_leading_zeros: Any = intrinsic(_count_leading_zeros)
_as_bits: Any = intrinsic(_bits_of_a_float)
_as_float: Any = intrinsic(_float_of_bits)


@_compiled
def _philox(words: Any, key: Any, first_block: Any) -> None:
    """Fill ``words`` (uint32, four a block) with consecutive blocks."""
    for block in range(len(words) // 4):
        counter = np.uint64(first_block + block)
        c0, c1, c2, c3 = _U32(counter), _U32(counter >> np.uint64(32)), _U32(0), _U32(0)
        k0, k1 = _U32(key), _U32(key >> np.uint64(32))
        for _ in range(10):
            p0, p1 = np.uint64(c0) * np.uint64(0xD2511F53), np.uint64(c2) * np.uint64(0xCD9E8D57)
            c0, c1, c2, c3 = (
                _U32(p1 >> np.uint64(32)) ^ c1 ^ k0,
                _U32(p1),
                _U32(p0 >> np.uint64(32)) ^ c3 ^ k1,
                _U32(p0),
            )
            k0, k1 = _U32(k0 + _U32(0x9E3779B9)), _U32(k1 + _U32(0xBB67AE85))
        words[4 * block] = c0
        words[4 * block + 1] = c1
        words[4 * block + 2] = c2
        words[4 * block + 3] = c3


@_compiled
def _add_gaussian(
    part: Any, words: Any, scale: Any, table: Any, cells: Any, withins: Any, pairs: Any, found: Any
) -> None:
    """Add scale * z; three loops, so that only the look-up, of slope and height together, is not vectorised."""
    for i in range(len(part)):
        v = words[i] & _U32(0x7FFFFFFF)
        shift = _U32(25) - _U32(_leading_zeros(v | _U32(64)))
        top = v >> shift
        cells[i] = np.int32(top + (shift << _U32(6)))
        withins[i] = np.float32(np.int32(v - (top << shift)))
    for i in range(len(part)):
        pairs[i] = table[cells[i]]
    for i in range(len(part)):
        magnitude = found[2 * i] * withins[i] + found[2 * i + 1]
        part[i] += (scale if words[i] <= _U32(0x7FFFFFFF) else -scale) * magnitude


@_compiled
def _add_rademacher(part: Any, words: Any, scale: Any, skipped: Any) -> None:
    """Add scale * z: scale with its sign bit changed where the bit is 1."""
    bits = _as_bits(scale)
    begin = min(len(part), -skipped % 32)
    end = begin + (len(part) - begin) // 32 * 32
    for i in range(begin):
        part[i] += _with_sign(bits, words[(i + skipped) >> 5] >> _U32((i + skipped) & 31))
    for word in range((end - begin) // 32):
        drawn, target = words[((begin + skipped) >> 5) + word], part[begin + 32 * word : begin + 32 * word + 32]
        # of length 32, which as a number would be unrolled before it is vectorised, and take 3.5 times
        for i in range(len(target)):
            target[i] += _with_sign(bits, drawn >> _U32(i))
    for i in range(end, len(part)):
        part[i] += _with_sign(bits, words[(i + skipped) >> 5] >> _U32((i + skipped) & 31))


@_compiled
def _with_sign(bits: Any, word: Any) -> Any:
    """Return the float of some bits, its sign changed if the lowest bit of a word is 1."""
    return _as_float(bits ^ (word << _U32(31)))


@_compiled
def _halve(part: Any, draws: Any, target: Any, nearest: Any) -> None:
    """Round fp32 to the bits of bf16: see :func:`fedmezo.core.directions.torch_kernel.halved`."""
    for i in range(len(part)):
        bits = _U32(_as_bits(part[i]))
        size = bits & _U32(0x7FFFFFFF)
        draw = _U32(0x7FFF) + ((bits >> _U32(16)) & _U32(1)) if nearest else _U32(draws[i])
        found = (bits + draw if size < _U32(LARGEST) else bits) >> _U32(16)
        target[i] = found | (_U32(64) if size > _U32(INFINITE) else _U32(0))


@_compiled
def _accumulate(
    total: Any,
    mirror: Any,
    source: Any,
    start: Any,
    factor: Any,
    apart: Any,
    keys: Any,
    scales: Any,
    gaussian: Any,
    table: Any,
    half: Any,
    rounding: Any,
) -> None:
    """Do a task on vectors whose first element has the flat index ``start``, tile by tile.

    ``apart``: terms are summed by themselves, and the sum is added to ``factor * source``, giving ``total``, and
    subtracted, giving ``mirror`` unless that is empty. ``half``: 0 if ``total`` is fp32; else it holds the bits of
    bf16, rounded to nearest (1) or by the stream of ``rounding`` (2).
    """
    words = np.empty(TILE if gaussian else TILE // 32, dtype=np.uint32)
    sums = np.empty(TILE, dtype=np.float32)
    cells, withins, pairs = np.empty(TILE, np.int32), np.empty(TILE, np.float32), np.empty(TILE, np.uint64)
    found = pairs.view(np.float32)
    drawn = np.empty(TILE // 2, dtype=np.uint32)
    draws = drawn.view(np.uint16)
    end = start + len(total)
    for tile in range(start // TILE, (end + TILE - 1) // TILE):
        first, last = max(start, tile * TILE), min(end, (tile + 1) * TILE)
        skipped = first - tile * TILE
        part, origin = sums[: last - first], source[first - start : last - start]
        if apart:
            part[:] = np.float32(0.0)
        else:
            for i in range(len(part)):
                part[i] = _exact(origin[i])
        for k in range(len(keys)):
            _philox(words, keys[k], tile * len(words) // 4)
            if gaussian:
                _add_gaussian(part, words[skipped:], scales[k], table, cells, withins, pairs, found)
            else:
                _add_rademacher(part, words, scales[k], skipped)
        target = total[first - start : last - start]
        if apart:
            if len(mirror):
                opposite = mirror[first - start : last - start]
                for i in range(len(part)):
                    opposite[i] = _exact(origin[i]) * factor - part[i]
            if half:
                for i in range(len(part)):
                    part[i] = _exact(origin[i]) * factor + part[i]
            else:  # straight to its place, which counts
                for i in range(len(part)):
                    target[i] = _exact(origin[i]) * factor + part[i]
        elif not half:
            target[:] = part
        if half:
            if half == 2:
                _philox(drawn, rounding, tile * (TILE // 8))
            _halve(part, draws[skipped:], target, half == 1)


@cache
def _table() -> NDArray[np.uint64]:
    """Return slope and height of each cell side by side, as one word."""
    heights, slopes = quantile_table()
    return np.stack([slopes, heights], axis=1).ravel().view(np.uint64)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="directions")


def _array(vector: Tensor) -> NDArray[Any]:
    """Return a vector as numpy has it: bf16 as its bits."""
    if vector.dtype == torch.bfloat16:
        return vector.view(torch.int16).numpy().view(np.uint16)
    return vector.numpy()


def accumulate(task: Task, threads: int) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    total, source = _array(task.total), _array(task.source)
    mirror = np.empty(0, np.float32) if task.mirror is None else task.mirror.numpy()
    half = 0 if task.total.dtype == torch.float32 else 1 if task.rounding is None else 2
    fixed: tuple[Any, ...] = (
        np.float32(1.0 if task.factor is None else task.factor),
        task.factor is not None,
        np.array(task.keys, dtype=np.uint64),
        np.array(task.coefficients, dtype=np.float32),
        task.distribution == "gaussian",
        _table(),
        half,
        np.uint64(task.rounding or 0),
    )
    parts = max(1, min(threads, len(total) // _SMALLEST_SHARE))
    edges = [len(total) * part // parts for part in range(parts + 1)]
    shares = [
        (total[begin:end], mirror[begin:end], source[begin:end], task.start + begin, *fixed)
        for begin, end in itertools.pairwise(edges)
    ]
    jobs = [_pool(parts - 1).submit(_accumulate, *share) for share in shares[1:]]
    _accumulate(*shares[0])
    for job in jobs:
        job.result()
