"""Seconds and memory of what is done on a device: its work is waited for before and after what is timed."""

import gc
import time
from collections.abc import Callable

import torch

from fedmezo.core.memory import peak_memory_mib


def wait_for(device: torch.device) -> None:
    """Return when nothing is under way on a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that some work on a device takes."""
    wait_for(device)
    started = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - started


def held_mib(device: torch.device) -> float:
    """Return the MiB of a GPU that tensors take now; 0 for the CPU, of which nobody keeps account."""
    return torch.cuda.memory_allocated(device) / 2**20 if device.type == "cuda" else 0.0


def forget_peak(device: torch.device) -> None:
    """Begin to look for a GPU's peak anew, without what nobody uses any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_above(work: Callable[[], object], device: torch.device) -> float:
    """Return the MiB that some work takes on a GPU above what is held before; 0 for the CPU."""
    forget_peak(device)
    before = held_mib(device)
    work()
    return peak_memory_mib() - before if device.type == "cuda" else 0.0
