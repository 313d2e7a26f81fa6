"""Directions in plain torch operations: on any device, and what the compiled kernels are compared with."""

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import registry
from fedmezo.core.directions.philox import philox
from fedmezo.core.directions.task import Task

INFINITE = 0x7F800000  # the bits of fp32's infinity; what has larger ones is not a number
LARGEST = 0x7F7F0000  # the bits of the largest bf16, in fp32
CHUNK = 1 << 20  # elements made at a time

_MASK = 0xFFFFFFFF


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    size = task.total.numel()
    for begin in range(0, size, CHUNK):
        end = min(begin + CHUNK, size)
        source = task.source[begin:end].to(torch.promote_types(task.source.dtype, torch.float32))
        part = source.clone() if task.factor is None else torch.zeros_like(source)
        for key, coefficient in zip(task.keys, task.coefficients, strict=True):
            z = values(key, task.start + begin, task.start + end, task.distribution, source.device)
            part.add_(z.to(source.dtype).mul_(coefficient))
        if task.factor is not None:
            scaled = source * task.factor
            if task.mirror is not None:
                task.mirror[begin:end] = scaled - part
            part.add_(scaled)
        if task.total.dtype == torch.bfloat16:
            task.total[begin:end] = halved(part, task.start + begin, task.rounding)
        else:
            task.total[begin:end] = part


def halved(values: Tensor, start: int, rounding: int | None) -> Tensor:
    """Return fp32 values [n] as bf16, rounded stochastically with a stream key, or to nearest without.

    Args:
        values: those of the flat indices start, start + 1, ...
        start: flat index of the first.
        rounding: stream key.
    """
    bits = values.view(torch.int32).long() & _MASK
    size = bits & 0x7FFFFFFF
    draws = 0x7FFF + ((bits >> 16) & 1) if rounding is None else _halves(rounding, start, len(values), values.device)
    found = torch.where(size < LARGEST, bits + draws, bits) >> 16
    found |= (size > INFINITE).long() << 6  # what is not a number stays so if its low bits are lost
    return (found - ((found >> 15) << 16)).to(torch.int16).view(torch.bfloat16)


def _halves(key: int, start: int, size: int, device: torch.device) -> Tensor:
    """Return the numbers below 2**16 of some elements, two a word."""
    words = philox(key, start // 8, -(-(start + size) // 8) - start // 8, device)
    return torch.stack((words & 0xFFFF, words >> 16), dim=-1).flatten()[start % 8 :][:size]


def values(key: int, start: int, stop: int, distribution: str, device: torch.device | str = "cpu") -> Tensor:
    """Return z(key)[start:stop], fp32."""
    kind = registry[distribution]()
    first_block = start // kind.per_block
    words = philox(key, first_block, -(-stop // kind.per_block) - first_block, device)
    offset = first_block * kind.per_block
    return kind.values(words).flatten()[start - offset : stop - offset]
