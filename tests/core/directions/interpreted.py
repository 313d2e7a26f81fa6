"""Interprets the Triton kernel and compares its bits with plain torch's; a process of its own, with TRITON_INTERPRET=1.

python -m tests.core.directions.interpreted

Prints how many cases there were, then each that differs.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.directions import torch_kernel, triton_kernel
from fedmezo.core.directions.task import COMPILED, Task
from tests.example_counts import ALL

KEYS = ((7,), (7, 2**62 + 11, 0), (2**63 - 1, 1, 2**32, 2**32 - 1))
COEFFICIENTS = tuple(float(np.float32(each)) for each in (0.125, -3.0e-4, 1.7, 1e-30))
SIZES = (1, 1025, 2500)
STARTS = (0, 3, 129, 2**31 - 5, 2**33 + 5, 2**40 + 16)
FACTORS = ((None, False), (0.75, True), (float(np.float32(0.9999)), False))  # and whether there is a mirror
FLOAT, HALF = torch.float32, torch.bfloat16
DTYPES = ((FLOAT, FLOAT, None), (HALF, FLOAT, None), (HALF, HALF, None), (FLOAT, HALF, 2**62 + 3), (HALF, HALF, 5))


class Case(NamedTuple):
    """What a task is made of."""

    size: int
    start: int
    keys: tuple[int, ...]
    scaled: tuple[float | None, bool]
    dtypes: tuple[torch.dtype, torch.dtype, int | None]

    def task(self, distribution: str) -> Task:
        """Return the task, with vectors of its own."""
        (read, written, rounding), (factor, mirrored) = self.dtypes, self.scaled
        source = special(torch.linspace(-1, 1, self.size).to(read))
        total = torch.full((self.size,), 9.0).to(written)
        mirror = torch.full((self.size,), 8.0) if mirrored and written == FLOAT else None
        coefficients = COEFFICIENTS[: len(self.keys)]
        return Task(total, source, factor, self.keys, coefficients, distribution, self.start, mirror, rounding)


def cases() -> Iterator[Case]:
    """Yield some of the product of what there is; a prime that is no divisor of it, so that all values are met."""
    every = 29 if os.environ.get(ALL) else 59
    yield from itertools.starmap(
        Case, itertools.islice(itertools.product(SIZES, STARTS, KEYS, FACTORS, DTYPES), 0, None, every)
    )


def special(source: Tensor) -> Tensor:
    """Put what is at the edge of a number at the beginning: signed zeros, the least, the largest, infinity."""
    edges = torch.tensor([0.0, -0.0, 1e-45, 3.4028234e38, -3.39e38, float("inf")])[: len(source)]
    source[: len(edges)] = edges.to(source.dtype)
    return source


def bits(vector: Tensor | None) -> Tensor:
    """Return a vector's bits; an empty one of none."""
    if vector is None:
        return torch.empty(0)
    return vector.view(torch.int16 if vector.dtype == HALF else torch.int32)


def main() -> int:
    """Compare, and return 1 if something differs."""
    differing, count = [], 0
    for case, distribution in itertools.product(cases(), COMPILED):
        wanted, found = case.task(distribution), case.task(distribution)
        torch_kernel.accumulate(wanted)
        triton_kernel.accumulate(found)
        count += 1
        alike = torch.equal(bits(wanted.total), bits(found.total))
        if not (alike and torch.equal(bits(wanted.mirror), bits(found.mirror))):
            differing.append((case, distribution))
    print(count, *differing, sep="\n")
    return int(bool(differing))


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
