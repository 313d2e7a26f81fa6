"""Memory that weights take after loading and that nobody needs any more: mapped from a file, or freed and kept."""

import ctypes
import mmap
import sys
from pathlib import Path

from torch import Tensor

_MAPS = Path("/proc/self/maps")


def mapped_files() -> list[tuple[int, int]]:
    """Return where files are mapped into memory: (first address, address after the last); [] but on Linux."""
    if not _MAPS.exists():
        return []
    rows = (line.split(maxsplit=5) for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines())
    spans = (row[0].split("-") for row in rows if row[-1].startswith("/"))
    return [(int(first, 16), int(last, 16)) for first, last in spans]


def forget_pages(tensor: Tensor, files: list[tuple[int, int]]) -> None:
    """Give back the memory of a tensor that nobody will read again, if it is mapped from a file (Linux).

    A file is mapped as a whole, so that a tensor that was copied would otherwise stay in memory until the last is.

    Args:
        tensor: it is at least as old as ``files``.
        files: of ``mapped_files``, which takes milliseconds: once for all tensors of a model.
    """
    size = tensor.numel() * tensor.element_size()
    begin = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (tensor.data_ptr() + size) // mmap.PAGESIZE * mmap.PAGESIZE
    of_a_file = begin < end and any(first <= begin and end <= last for first, last in files)
    if tensor.device.type == "cpu" and tensor.is_contiguous() and of_a_file:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)


def return_freed_memory() -> None:
    """Give back what the C library keeps of memory that was freed (glibc): a model's tensors, one by one, are much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
