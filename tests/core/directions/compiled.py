"""Compiles the Triton kernel for GPUs that are not there, and says what it is made of; a process of its own.

python -m tests.core.directions.compiled

Prints a JSON list, a row a variant: what machine code a launch of a run would be. The launcher itself specialises and
compiles, with a driver that names an architecture.
"""

import itertools
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from fedmezo.core.directions import triton_kernel
from fedmezo.core.directions.task import COMPILED, Task
from tests.covering import covering
from tests.example_counts import ALL

ARCHITECTURES = (80, 89, 90)
SIZE, WARPS = 64, 4
PER_THREAD = triton_kernel.TILE // (32 * WARPS)
DISASSEMBLER = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "nvdisasm"
FLOAT, HALF = torch.float32, torch.bfloat16
VARIANTS: dict[str, dict[str, Any]] = {  # of a step, a replay of many directions, and both with all parameters in half
    "a pair": {"terms": 1, "factor": 1.0, "mirrored": True},
    "many terms": {"terms": 30},
    "many terms on half": {"terms": 30, "factor": 0.75, "read": HALF, "written": HALF, "rounding": 2**40},
}


class Driver:
    """What Triton asks a driver before it compiles."""

    def __init__(self, architecture: int) -> None:
        self._target = GPUTarget("cuda", architecture, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")


def compiled(architecture: int, distribution: str, variant: dict[str, Any]) -> Any:
    """Return the kernel that a task is launched as."""
    terms, factor = variant["terms"], variant.get("factor")
    source = torch.zeros(SIZE, dtype=variant.get("read", FLOAT))
    total = torch.zeros(SIZE, dtype=variant.get("written", FLOAT))
    mirror = torch.zeros(SIZE) if variant.get("mirrored") else None
    task = Task(
        total,
        source,
        factor,
        tuple(range(5, 5 + terms)),
        (0.5,) * terms,
        distribution,
        0,
        mirror,
        variant.get("rounding"),
    )
    driver.set_active(Driver(architecture))
    kernel: Any = triton_kernel._add
    kernel.device_caches.clear()
    found, run = [], kernel.run
    kernel.run = lambda *arguments, **options: found.append(run(*arguments, **{**options, "warmup": True}))
    try:
        triton_kernel.accumulate(task)
    finally:
        kernel.run = run
    return found[0]


def instructions(cubin: bytes) -> tuple[list[str], list[int]]:
    """Return machine instructions, and how many each loop has."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([DISASSEMBLER, "-c", file.name], capture_output=True, text=True, check=True).stdout
    found: list[str] = []
    labels: dict[str, int] = {}
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(found)
        elif re.search(r"/\*[0-9a-f]{4,5}\*/", line):
            found.append(re.sub(r"/\*.*?\*/", "", line).strip())
    jumps = ((at, re.search(r"BRA.*?(\.L_x_\d+)", each)) for at, each in enumerate(found))
    return found, [at - labels[to[1]] + 1 for at, to in jumps if to and labels.get(to[1], at) < at]


def cases() -> list[tuple[int, str, str]]:
    """Return architectures with distributions and variants: each two together, or all."""
    every = list(itertools.product(ARCHITECTURES, COMPILED, VARIANTS))
    if os.environ.get(ALL):
        return every
    return [
        every[number]
        for number in covering([{str(place): value for place, value in enumerate(each)} for each in every], 2)
    ]


def row(architecture: int, distribution: str, name: str) -> dict[str, Any]:
    """Return what the kernel of a variant is made of."""
    kernel = compiled(architecture, distribution, VARIANTS[name])
    found, loops = instructions(kernel.asm["cubin"])
    return {
        "architecture": architecture,
        "distribution": distribution,
        "variant": name,
        "fused": sum("FFMA" in each or "DFMA" in each for each in found) + kernel.asm["ptx"].count("fma."),
        "flushed": kernel.asm["ptx"].count(".ftz"),
        "fp64": sum(bool(re.match(r"(@\S+ )?(D[A-Z]|F2F\.F64|I2F\.F64)", each)) for each in found),
        "spilled": sum("STL" in each or "LDL" in each for each in found),
        "of_a_term": max(loops, default=0) / PER_THREAD,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps([row(*each) for each in cases()]))
