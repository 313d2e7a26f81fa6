# mypy: disable-error-code="untyped-decorator"
"""Directions on the CPU, compiled by numba: vectorised, on several threads, each part of the vector read once.

Compiled code is kept beside the sources, or in numba's cache folder where these are read-only. numba does not contract
``a + c * z`` into a fused multiply-add unless told to (``fastmath``), which is what keeps the bits.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from fedmezo.zeroth_order.directions.table import quantile_table
from fedmezo.zeroth_order.directions.task import Task

TILE = 1024  # elements worked on at a time: they stay in the first-level cache while all terms are added
_SMALLEST_SHARE = 1 << 16  # elements below which another thread costs more than it gives

_U32 = np.uint32
_LOW = np.uint64(0xFFFFFFFF)


def _count_leading_zeros(typingctx: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, False))

    return types.uint32(types.uint32), codegen


_leading_zeros: Any = intrinsic(_count_leading_zeros)


@njit(nogil=True, cache=True, error_model="numpy")
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


@njit(nogil=True, cache=True, error_model="numpy")
def _add_gaussian(part: Any, words: Any, scale: Any, heights: Any, slopes: Any) -> None:
    for i in range(len(part)):
        word = words[i]
        v = word & _U32(0x7FFFFFFF)
        shift = _U32(25) - _U32(_leading_zeros(v | _U32(64)))
        top = v >> shift
        cell = np.int32(top + (shift << _U32(6)))
        within = np.float32(np.int32(v - (top << shift)))
        magnitude = slopes[cell] * within + heights[cell]
        part[i] += (scale if word <= _U32(0x7FFFFFFF) else -scale) * magnitude


@njit(nogil=True, cache=True, error_model="numpy")
def _add_rademacher(part: Any, words: Any, scale: Any, skipped: Any) -> None:
    for i in range(len(part)):
        bit = i + skipped
        part[i] += -scale if (words[bit >> 5] >> _U32(bit & 31)) & _U32(1) else scale


@njit(nogil=True, cache=True, error_model="numpy")
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
    heights: Any,
    slopes: Any,
) -> None:
    """Do a task on vectors whose first element has the flat index ``start``, tile by tile.

    ``apart``: terms are summed by themselves, and the sum is added to ``factor * source``, giving ``total``, and
    subtracted, giving ``mirror`` unless that is empty.
    """
    words = np.empty(TILE if gaussian else TILE // 32, dtype=np.uint32)
    sums = np.empty(TILE, dtype=np.float32)
    end = start + len(total)
    for tile in range(start // TILE, (end + TILE - 1) // TILE):
        first, last = max(start, tile * TILE), min(end, (tile + 1) * TILE)
        skipped = first - tile * TILE
        part, origin = sums[: last - first], source[first - start : last - start]
        if apart:
            part[:] = np.float32(0.0)
        else:
            part[:] = origin
        for k in range(len(keys)):
            _philox(words, keys[k], tile * len(words) // 4)
            if gaussian:
                _add_gaussian(part, words[skipped:], scales[k], heights, slopes)
            else:
                _add_rademacher(part, words, scales[k], skipped)
        target = total[first - start : last - start]
        if apart:
            if len(mirror):
                opposite = mirror[first - start : last - start]
                for i in range(len(part)):
                    opposite[i] = origin[i] * factor - part[i]
            for i in range(len(part)):
                target[i] = origin[i] * factor + part[i]
        else:
            target[:] = part


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="directions")


def accumulate(task: Task, threads: int) -> None:
    """Do a task; see :func:`fedmezo.zeroth_order.directions.accumulate`."""
    total, source = task.total.numpy(), task.source.numpy()
    mirror = total[:0] if task.mirror is None else task.mirror.numpy()
    fixed: tuple[Any, ...] = (
        np.float32(1.0 if task.factor is None else task.factor),
        task.factor is not None,
        np.array(task.keys, dtype=np.uint64),
        np.array(task.coefficients, dtype=np.float32),
        task.distribution == "gaussian",
        *quantile_table(),
    )
    parts = max(1, min(threads, len(total) // _SMALLEST_SHARE))
    edges = [len(total) * part // parts for part in range(parts + 1)]
    if parts == 1:
        _accumulate(total, mirror, source, task.start, *fixed)
        return
    jobs = [
        _pool(parts).submit(
            _accumulate, total[begin:end], mirror[begin:end], source[begin:end], task.start + begin, *fixed
        )
        for begin, end in itertools.pairwise(edges)
    ]
    for job in jobs:
        job.result()
