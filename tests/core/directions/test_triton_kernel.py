"""The Triton kernel: interpreted, compiled for GPUs that are not there, and on a CUDA device where there is one."""

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from fedmezo.core.directions import accumulate, torch_kernel
from fedmezo.core.directions.on_cuda import OnCuda
from fedmezo.core.directions.task import COMPILED, Task
from tests.example_counts import examples

triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is for Linux only")
CEILING = {"gaussian": 40.0, "rademacher": 20.0}  # machine instructions of an element and a term


def printed(module: str, **variables: str) -> str:
    """Return what a module beside this one prints, in a process of its own."""
    command = [sys.executable, "-m", f"{__package__}.{module}"]
    found = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=600, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@triton
def test_interpreted_it_has_the_bits_of_plain_torch() -> None:
    """Of fp32 and bf16 vectors; sizes, starts beyond 2^40, keys to 2^63 - 1, factors, mirrors, both roundings."""
    assert int(printed("interpreted", TRITON_INTERPRET="1")) == examples(28, least=14) * len(COMPILED)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the variants that a run launches are compiled to."""
    cache = tmp_path_factory.mktemp("triton")
    found: list[dict[str, Any]] = json.loads(printed("compiled", TRITON_CACHE_DIR=str(cache), TRITON_INTERPRET="0"))
    return found


@triton
def test_compiled_it_rounds_each_operation_by_itself(code: list[dict[str, Any]]) -> None:
    assert len(code) == examples(18, least=9) and {row["architecture"] for row in code} == {80, 89, 90}
    assert all(row["fused"] == row["flushed"] == row["fp64"] == row["spilled"] == 0 for row in code), code


@triton
def test_compiled_it_has_few_instructions_a_term(code: list[dict[str, Any]]) -> None:
    loops = [row for row in code if row["variant"] != "a pair"]
    assert all(5 < row["of_a_term"] <= CEILING[row["distribution"]] for row in loops), loops


def a_task() -> Task:
    return Task(torch.zeros(9), torch.linspace(-1, 1, 9), None, (7,), (0.5,), "gaussian", 3)


def test_without_a_compiler_plain_torch_does_it_which_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    asked = []

    def fails(task: Task) -> None:
        asked.append(task)
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable or set triton.knobs")

    wanted, *found = (a_task() for _ in range(3))
    torch_kernel.accumulate(wanted)
    on_cuda = OnCuda(fails)
    for task in found:
        on_cuda(task)
        assert torch.equal(task.total, wanted.total)
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "Failed to find C compiler" in caplog.text
    assert len(asked) == 1


def test_another_error_of_the_device_is_not_hidden() -> None:
    def fails(task: Task) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        OnCuda(fails)(a_task())


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("distribution", COMPILED)
@pytest.mark.parametrize(("start", "size"), [(0, 1_000_000), (129, 5000), (2**33 + 5, 70_001), (3, 1)])
@pytest.mark.parametrize("factor", [None, 0.75])
def test_on_a_device_it_has_the_bits_of_plain_torch(
    distribution: str, start: int, size: int, factor: float | None, dtype: torch.dtype
) -> None:
    keys, coefficients, rounding = (7, 2**62 + 11, 0), (0.125, -3.0e-4, 1.7), 5 if dtype == torch.bfloat16 else None
    wanted = torch.linspace(-1, 1, size).to(dtype)
    found = wanted.cuda()
    below = None if factor is None or rounding else torch.empty(size)
    mirror = None if below is None else below.cuda()
    accumulate(found, keys, coefficients, distribution, start, factor=factor, mirror=mirror, rounding=rounding)
    torch_kernel.accumulate(
        Task(wanted, wanted.clone(), factor, keys, coefficients, distribution, start, below, rounding)
    )
    assert torch.equal(found.cpu(), wanted)
    assert below is None or (mirror is not None and torch.equal(mirror.cpu(), below))
