"""The stand-in device in this process: it is loaded, torch's own Python is told of it, and what it does is counted."""

import ctypes
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.gpu_standin.build import built

MEMORY = 80 << 30  # bytes that a device says it has
NAME = "stand-in for a CUDA device"
_LIBRARIES: list[ctypes.CDLL] = []  # the one that is loaded, if it is


@dataclass
class Counts:
    """What a device was asked to do inside a block of :func:`counted`.

    Attributes:
        launches: of kernels, by operator. Attention without gradients is one, as is a launch of Triton.
        waits: of the host for the device, by reason: a number or a size that is wanted on the host, a copy from or to
            memory that is not pinned.
        copies: between host and device, by way.
        copied: their bytes, by way.
    """

    launches: dict[str, int] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    copied: dict[str, int] = field(default_factory=dict)


def is_there() -> bool:
    """Return whether this process has the stand-in."""
    return bool(_LIBRARIES)


def install() -> None:
    """Have torch find the devices, in this process, for good; it looks for them once, when it is imported."""
    if is_there():
        return
    assert "torch" not in sys.modules, "torch is imported already"
    library = ctypes.CDLL(str(built()), mode=ctypes.RTLD_GLOBAL)
    library.standin_counts.restype = ctypes.c_char_p
    library.standin_held.restype = library.standin_peak.restype = ctypes.c_long
    _LIBRARIES.append(library)
    _tell_torch(library)


def current() -> int:
    """Return the number of the current device."""
    return int(_LIBRARIES[0].standin_current())


def note(kind: str, name: str) -> None:
    """Count something that no operator of torch does."""
    _LIBRARIES[0].standin_count(kind.encode(), name.encode())


@contextmanager
def counted() -> Iterator[Counts]:
    """Count what is done inside the block; the counts are there at its end."""
    (library,), found = _LIBRARIES, Counts()
    library.standin_counts()
    library.standin_counting(1)
    try:
        yield found
    finally:
        library.standin_counting(0)
        _fill(found, library.standin_counts().decode())


@contextmanager
def not_counted() -> Iterator[None]:
    """Do not count what is done inside the block."""
    before = _LIBRARIES[0].standin_counting(0)
    try:
        yield
    finally:
        _LIBRARIES[0].standin_counting(before)


def _fill(counts: Counts, text: str) -> None:
    for line in text.splitlines():
        what, times, size = line.split("\t")
        kind, _, name = what.partition(" ")
        if kind == "copy":
            counts.copies[name], counts.copied[name] = int(times), int(size)
        else:
            (counts.launches if kind == "launch" else counts.waits)[name] = int(times)


def _tell_torch(library: ctypes.CDLL) -> None:
    """Give torch's Python the functions that it has of a build with CUDA; what is above them is torch's own."""
    import torch

    core, cuda, count = torch._C, torch.cuda, int(library.standin_devices())

    def exchange(device: int) -> int:
        return int(library.standin_exchange(device))

    functions = {
        "_cuda_getDeviceCount": lambda: count,
        "_cuda_getDevice": current,
        "_cuda_setDevice": exchange,
        "_cuda_synchronize": lambda: note("wait", "device"),
        "_cuda_emptyCache": lambda: None,
        "_cuda_memoryStats": lambda device: _memory(library, device),
        "_cuda_resetPeakMemoryStats": lambda device: library.standin_reset_peak(device),
        "_cuda_getArchFlags": lambda: "sm_90",
        "_cuda_getCurrentRawStream": lambda device: 0,
    }
    for name, function in functions.items():
        setattr(core, name, function)
    replaced: dict[str, Any] = {
        "_initialized": True,
        "_exchange_device": exchange,
        "_maybe_exchange_device": exchange,
        "_device_count_nvml": lambda: -1,  # what the machine has is not asked
        "_get_device_properties": lambda device: types.SimpleNamespace(
            name=NAME, major=9, minor=0, total_memory=MEMORY, multi_processor_count=132
        ),
        "default_generators": (torch.default_generator,) * count,
    }
    for name, value in replaced.items():
        setattr(cuda, name, value)
    free = {"cudaMemGetInfo": lambda device: (MEMORY - library.standin_held(device), MEMORY)}
    cuda.cudart = cuda.memory.cudart = lambda: types.SimpleNamespace(**free)  # type: ignore[attr-defined]


def _memory(library: ctypes.CDLL, device: int) -> dict[str, Any]:
    own = {"current": library.standin_held(device), "peak": library.standin_peak(device)}
    return {"allocated_bytes": {"all": own}, "reserved_bytes": {"all": own}}
