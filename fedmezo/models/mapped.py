"""Memory that weights take after loading and that nobody needs any more: mapped from a file, or freed and kept."""

import ctypes
import mmap
import sys
from pathlib import Path

from torch import Tensor

_MAPS = Path("/proc/self/maps")


def forget_pages(tensor: Tensor) -> None:
    """Give back the memory of a tensor that nobody will read again, if it is mapped from a file (Linux).

    A file is mapped as a whole, so that a tensor that was copied would otherwise stay in memory until the last is.
    """
    size = tensor.numel() * tensor.element_size()
    begin = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (tensor.data_ptr() + size) // mmap.PAGESIZE * mmap.PAGESIZE
    if tensor.device.type == "cpu" and tensor.is_contiguous() and begin < end and _is_of_a_file(begin, end):
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)


def return_freed_memory() -> None:
    """Give back what the C library keeps of memory that was freed (glibc): a model's tensors, one by one, are much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _is_of_a_file(begin: int, end: int) -> bool:
    if not _MAPS.exists():
        return False
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, *_, name = line.split(maxsplit=5) + [""] * (6 - len(line.split(maxsplit=5)))
        first, _, last = addresses.partition("-")
        if int(first, 16) <= begin and end <= int(last, 16):
            return name.startswith("/")
    return False
