"""Peak memory of the process."""

import re
import resource
import sys
from pathlib import Path

import torch


def peak_memory_mib() -> float:
    """Return the peak so far in MiB: of the GPUs' allocators where one is used, summed, else resident memory."""
    on_gpus = sum(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count())))
    return on_gpus / 2**20 if on_gpus else _peak_resident_mib()


def _peak_resident_mib() -> float:
    # Linux lets a process begin with the maximum of the one that started it; only its own high-water mark is its own
    status = Path("/proc/self/status")
    if status.exists() and (own := re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))):
        return int(own[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
