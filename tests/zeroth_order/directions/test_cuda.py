"""The Triton kernel gives the bits of eager; only where there is a CUDA device."""

import pytest
import torch

from fedmezo.zeroth_order.directions import Distribution, accumulate, eager
from fedmezo.zeroth_order.directions.task import Task

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize(("start", "size"), [(0, 10_000_000), (129, 5000), (2**33 + 5, 70_001), (3, 1)])
@pytest.mark.parametrize("factor", [None, 0.75])
def test_the_kernel_gives_the_bits_of_eager(
    distribution: Distribution, start: int, size: int, factor: float | None
) -> None:
    keys, coefficients = [7, 2**62 + 11, 0], [0.125, -3.0e-4, 1.7]
    wanted = torch.linspace(-1, 1, size)
    found = wanted.cuda()
    accumulate(found, keys, coefficients, distribution, start, factor=factor)
    eager.accumulate(Task(wanted, wanted, factor, tuple(keys), tuple(coefficients), distribution, start))
    assert torch.equal(found.cpu(), wanted)
