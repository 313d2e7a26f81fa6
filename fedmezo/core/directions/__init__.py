"""Portable directions: z(key)[i] is a function of the stream key and the flat index i alone.

The bits come from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), with the
63-bit stream key as its key and the block number as its counter, in integer arithmetic. From bits to values:

- ``gaussian``: element i takes word i % 4 of block i // 4. Its top bit is the sign; its other 31 bits v are a tail
  probability (v + 1/2) / 2**32, whose normal quantile is read from a table (:mod:`.quantile_table`). The only
  floating-point operations are one fp32 multiplication and one fp32 addition, each rounded, so the value is the same on
  every device; ``log`` and ``cos`` would differ in the last bit between libraries.
- ``rademacher``: element i takes bit i % 32 of word (i // 32) % 4 of block i // 128; 1 means -1.

A vector may be bf16, where a model is its own master in half precision. It is read as what it is in fp32; sums are
fp32, and the last one is rounded to bf16 once: to nearest, or stochastically. Then element i takes half i % 2 (the low
one first) of word i % 8 // 2 of block i // 8 of a stream of its own, a number u below 2**16, and the bits b of an fp32
sum become (b + u) >> 16: up with the probability that keeps the mean. What bf16 holds exactly stays, and a finite sum
stays finite: one that is as large as the largest bf16 is cut off.

Values do not depend on device, dtype of a target, thread count, chunking, tensor order or torch version: three
implementations give the same bits: plain torch (:mod:`.torch_kernel`, any device), numba (:mod:`.numba_kernel`, the
CPU) and Triton (:mod:`.triton_kernel`). Further distributions are registered (:mod:`.distributions`); they are made by
plain torch alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.directions import on_cuda, torch_kernel
from fedmezo.core.directions.task import COMPILED, Task

try:
    from fedmezo.core.directions import numba_kernel
except ImportError:  # numba is not there: slower, the same bits
    numba_kernel = None  # type: ignore[assignment]

_PRECISIONS = {  # of sums, by that of a vector
    torch.float64: torch.float64,
    torch.float32: torch.float32,
    torch.bfloat16: torch.float32,
}


def accumulate(
    total: Tensor,
    keys: Sequence[int],
    coefficients: Sequence[float],
    distribution: str = "gaussian",
    start: int = 0,
    *,
    source: Tensor | None = None,
    factor: float | None = None,
    mirror: Tensor | None = None,
    rounding: int | None = None,
) -> None:
    """Add sum_k c_k z(key_k)[start : start + n] to a vector, reading and writing memory once.

    Each term is two fp32 roundings, ``sum = fl32(sum + fl32(c_k * z))``, in the order of the keys: never fused.
    Without a factor the terms are added to the source one after the other; with one their sum is made first, and
    ``total = fl32(fl32(factor * source) + sum)``.

    Args:
        total: contiguous fp32 [n], written to (or fp64, as what fp32 is compared with: every vector then is), or bf16.
        keys: stream keys of :func:`fedmezo.core.randomness.stream_key`, [K].
        coefficients: fp32 values, [K].
        distribution: of the directions, a registered name.
        start: flat index of the first element.
        source: contiguous fp32 or bf16 [n]; ``total`` itself if left out.
        factor: of the source, an fp32 value.
        mirror: contiguous fp32 [n]; with a factor, ``fl32(fl32(factor * source) - sum)`` is written there.
        rounding: stream key by which a bf16 ``total`` is rounded stochastically; None rounds it to nearest.

    Raises:
        ValueError: one of the vectors is not a contiguous vector of those dtypes, or numbers or sizes differ.
    """
    source = total if source is None else source
    if mirror is not None and (factor is None or mirror.shape != total.shape or total.dtype == torch.bfloat16):
        raise ValueError("a mirror needs a factor, and the size of the vector, which is not bf16")
    for vector in (total, source, *([] if mirror is None else [mirror])):
        alike = _PRECISIONS.get(vector.dtype) == _PRECISIONS.get(total.dtype, ...)
        if not alike or vector.ndim != 1 or not vector.is_contiguous():
            raise ValueError(f"expected a contiguous fp32 vector, found {vector.dtype} of shape {list(vector.shape)}")
    if len(keys) != len(coefficients) or total.shape != source.shape:
        raise ValueError(f"{len(keys)} keys and {len(coefficients)} coefficients, {len(source)} to {len(total)} values")
    terms = tuple(keys), tuple(coefficients)
    task = Task(total.detach(), source.detach(), factor, *terms, distribution, start, mirror, rounding)
    if total.dtype == torch.float64 or distribution not in COMPILED:
        torch_kernel.accumulate(task)
    elif total.device.type == "cpu" and numba_kernel is not None:
        numba_kernel.accumulate(task, torch.get_num_threads())
    elif total.device.type == "cuda":
        on_cuda.accumulate(task)
    else:
        torch_kernel.accumulate(task)


def rounded(value: float, dtype: torch.dtype) -> float:
    """Return a coefficient as a value of the precision that sums for a vector of a dtype have."""
    return value if dtype == torch.float64 else float(np.float32(value))


def direction(
    key: int,
    start: int,
    stop: int,
    distribution: str = "gaussian",
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return z(key)[start:stop] as an fp32 tensor [stop - start].

    Args:
        key: stream key of :func:`fedmezo.core.randomness.stream_key`.
        start: flat indices, 0 <= start <= stop.
        stop: likewise.
        distribution: a registered name; of mean 0 and variance 1.
        device: where to compute.

    Examples:
        >>> bool((direction(7, 0, 100)[40:60] == direction(7, 40, 60)).all())
        True
    """
    z = torch.zeros(stop - start, device=device)
    accumulate(z, [key], [1.0], distribution, start)
    return z


__all__ = ["accumulate", "direction", "rounded"]
