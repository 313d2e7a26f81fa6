"""The Triton kernel gives the bits of eager; only where there is a CUDA device."""

import pytest
import torch

from fedmezo.core.directions import accumulate, torch_kernel
from fedmezo.core.directions.task import Task

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize(("start", "size"), [(0, 10_000_000), (129, 5000), (2**33 + 5, 70_001), (3, 1)])
@pytest.mark.parametrize("factor", [None, 0.75])
def test_the_kernel_gives_the_bits_of_eager(distribution: str, start: int, size: int, factor: float | None) -> None:
    keys, coefficients = [7, 2**62 + 11, 0], [0.125, -3.0e-4, 1.7]
    wanted = torch.linspace(-1, 1, size)
    found = wanted.cuda()
    below = None if factor is None else torch.empty(size)
    mirror = None if below is None else below.cuda()
    accumulate(found, keys, coefficients, distribution, start, factor=factor, mirror=mirror)
    torch_kernel.accumulate(
        Task(wanted, wanted.clone(), factor, tuple(keys), tuple(coefficients), distribution, start, below)
    )
    assert torch.equal(found.cpu(), wanted)
    assert below is None or (mirror is not None and torch.equal(mirror.cpu(), below))
