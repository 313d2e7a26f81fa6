"""What stands in for a launch of the Triton kernel: it insists on what a GPU does, and computes the bits on the host.

The kernel's own bits and code have tests of their own (``tests/core/directions/test_triton_kernel.py``). This one reads
what it is given as the kernel does, so that what is packed for it is tested, too.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.directions import torch_kernel, triton_kernel
from fedmezo.core.directions.task import Task
from tests.gpu_standin import device


class Launch:
    """In the place of the compiled kernel: ``Launch()[grid](arguments)``."""

    def __getitem__(self, grid: tuple[int]) -> Callable[..., None]:
        """Return what is launched on a grid."""

        def launch(*arguments: Any, **constants: Any) -> None:
            _check_devices([each for each in arguments if isinstance(each, Tensor)])
            device.note("launch", "triton")
            with device.not_counted(), torch.inference_mode():
                _run(grid[0], *map(_on_host, arguments), **constants)

        return launch


def _check_devices(vectors: list[Tensor]) -> None:
    places = {vector.device for vector in vectors}
    assert places == {torch.device("cuda", device.current())}, f"launched on {device.current()}, vectors on {places}"


def _on_host(value: Any) -> Any:
    """Return a tensor of the host on the memory of a device's; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    assert value.is_contiguous()
    if not value.numel():
        return torch.empty(0, dtype=value.dtype)
    memory = (ctypes.c_byte * value.nbytes).from_address(value.data_ptr())
    return torch.frombuffer(memory, dtype=value.dtype)


def _run(
    programs: int,
    total: Tensor,
    mirror: Tensor,
    source: Tensor,
    size: int,
    start: int,
    factor: float,
    key: int,
    scale: float,
    packed: Tensor,
    terms: int,
    table: Tensor,
    rounding: int,
    *,
    single: bool,
    apart: bool,
    mirrored: bool,
    gaussian: bool,
    half_source: bool,
    half_total: int,
    tile: int,
    enable_fp_fusion: bool,
) -> None:
    """Do what the kernel does, of the same arguments."""
    assert not enable_fp_fusion and (programs - 1) * tile < size + start % (8 if gaussian else 128) <= programs * tile
    assert torch.equal(table, triton_kernel.packed_table(torch.device("cpu")))
    assert half_source == (source.dtype == torch.int16) and (half_total > 0) == (total.dtype == torch.int16)
    keys, scales = ((key,), (scale,)) if single else _unpacked(packed, terms)
    torch_kernel.accumulate(
        Task(
            _half(total, half_total > 0),
            _half(source, half_source),
            factor if apart else None,
            keys,
            scales,
            "gaussian" if gaussian else "rademacher",
            start,
            mirror if mirrored else None,
            rounding if half_total == triton_kernel.STOCHASTIC else None,
        )
    )


def _unpacked(packed: Tensor, terms: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    rows = packed.view(-1, 2)
    assert len(rows) == terms
    scales = rows[:, 1].numpy().astype(np.uint32).view(np.float32)
    return tuple(rows[:, 0].tolist()), tuple(scales.tolist())


def _half(vector: Tensor, half: bool) -> Tensor:
    return vector.view(torch.bfloat16) if half else vector
