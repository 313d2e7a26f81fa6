"""Directions a second, of the compiled kernel and of plain torch on the same device."""

from collections.abc import Callable
from itertools import product
from statistics import median
from typing import NamedTuple

import torch

from benchmarks.gpu.part import Figures, Setting
from benchmarks.timing import seconds
from fedmezo.assembly.precision import chosen_device
from fedmezo.core.directions import accumulate, torch_kernel
from fedmezo.core.directions.task import Task

SIZES = {"LoRA r=8 of SmolLM2": 460_800, "a layer of SmolLM2": 3_540_096, "LoRA r=128 of 3B": 42_598_400}
ROUNDINGS = ("fp32", "bf16, nearest", "bf16, stochastic")
LONG = 0.02  # seconds that are measured at a time, so that one launch's start does not count
COMPARED = 1 << 20  # elements whose bits are compared with the CPU's


class Case(NamedTuple):
    """A sum of directions: elements by name, how many terms, their distribution, what the vector is."""

    size: str
    terms: int
    distribution: str
    rounding: str


def cases() -> dict[str, Case]:
    """Return what is measured, by name."""
    found = product(SIZES, (1, 8, 30), ("gaussian", "rademacher"), ROUNDINGS)
    return {", ".join(map(str, case)): case for case in map(Case._make, found)}


def plan(quick: bool) -> list[str]:
    """Return the names of the rows."""
    return [name for name, case in cases().items() if not quick or case.size == next(iter(SIZES))]


def measure(name: str, setting: Setting) -> Figures:
    """Return microseconds, directions and bytes a second, and whether the bits are those of the CPU."""
    case, device = cases()[name], chosen_device(True, 0)
    size = 10_000 if setting.quick else SIZES[case.size]
    total = torch.zeros(size, dtype=torch.float32 if case.rounding == "fp32" else torch.bfloat16, device=device)
    compiled, eager = _both(total, case)
    compiled()
    wanted = torch.zeros(min(size, COMPARED), dtype=total.dtype)
    _both(wanted, case)[0]()
    same = torch.equal(total[:COMPARED].cpu().view(torch.uint8), wanted.view(torch.uint8))
    own, other = _interleaved(compiled, eager, device, 2 if setting.quick else 5)
    return {
        **case._asdict(),
        "elements": size,
        "microseconds": round(1e6 * own, 2),
        "directions_per_second": round(case.terms / own, 1),
        "gigabytes_per_second": round(2 * total.nbytes / own / 1e9, 1),  # read once, written once
        "eager_microseconds": round(1e6 * other, 2),
        "same_bits": same,
    }


def _both(total: torch.Tensor, case: Case) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what adds the terms to a vector: compiled, and in plain torch."""
    keys, scales = tuple(range(case.terms)), (1e-3,) * case.terms
    rounding = 7 if case.rounding == "bf16, stochastic" else None
    task = Task(total, total, None, keys, scales, case.distribution, 0, None, rounding)
    return (
        lambda: accumulate(total, keys, scales, case.distribution, rounding=rounding),
        lambda: torch_kernel.accumulate(task),
    )


def _interleaved(
    one: Callable[[], None], two: Callable[[], None], device: torch.device, repeats: int
) -> tuple[float, float]:
    """Return the median seconds of a call of each."""
    for work in (one, two):
        work()  # compiled, where it is
    many = [max(1, min(1000, int(LONG / seconds(work, device)))) for work in (one, two)]
    spent = [[_mean(work, count, device) for work, count in zip((one, two), many, strict=True)] for _ in range(repeats)]
    own, other = zip(*spent, strict=True)
    return median(own), median(other)


def _mean(work: Callable[[], None], count: int, device: torch.device) -> float:
    def repeated() -> None:
        for _ in range(count):
            work()

    return seconds(repeated, device) / count
