"""Pages of a mapped file are given back, and nothing else is touched."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.mapped import forget_pages, mapped_files


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_the_memory_of_a_mapped_tensor_comes_back(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1 << 24)}, tmp_path / "large.safetensors")
    weight = load_file(tmp_path / "large.safetensors")["weight"]
    assert weight.sum() == 1 << 24
    before = resident_kib()
    forget_pages(weight, mapped_files())
    assert before - resident_kib() > 50_000  # of 65,536
    assert weight.sum() == 1 << 24  # read from the file again


@pytest.mark.parametrize("size", [0, 3, 1 << 20])
def test_other_memory_stays_as_it_is(size: int) -> None:
    values = torch.arange(size, dtype=torch.float32)
    forget_pages(values, mapped_files())
    assert torch.equal(values, torch.arange(size, dtype=torch.float32))


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_parameters_that_became_views_take_no_memory_beside_the_buffer() -> None:
    model = nn.ParameterList(torch.ones(25_000) for _ in range(1000))
    before = resident_kib()
    parameters = FlatParameters(model)
    assert parameters.buffer.sum() == 25_000_000
    assert resident_kib() - before < 30_000  # of 97,656 that were copied
