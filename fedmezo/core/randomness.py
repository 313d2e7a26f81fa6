"""One stream of randomness per purpose.

Every draw of a run comes from a stream named by (run seed, purpose, round, client, step, query). Nothing else
holds randomness: the global generators of ``random``, ``numpy`` and ``torch`` are never advanced, and no generator
state has to be stored to resume a run.

The 63-bit key of a stream is the first 8 bytes (little-endian, top bit cleared) of the BLAKE2b digest of::

    int64 run seed | 16 bytes purpose (UTF-8, NUL padded) | int64 round | int64 client | int64 step | int64 query

all little-endian; a coordinate that does not apply is -1.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np

Purpose = Literal[
    "init", "partition", "sample", "data", "direction", "strategy", "rounding", "dropout", "answer", "evaluation"
]

ABSENT = -1
_LAYOUT = struct.Struct("<q16sqqqq")
_LOW_63_BITS = (1 << 63) - 1


def stream_key(
    seed: int,
    purpose: Purpose,
    *,
    round_index: int = ABSENT,
    client: int = ABSENT,
    step: int = ABSENT,
    query: int = ABSENT,
) -> int:
    """Return the 63-bit key of one stream.

    Args:
        seed: the run's seed, 0 <= seed < 2**63.
        purpose: what the stream is for.
        round_index: coordinates of the draw, ``ABSENT`` where they do not apply.
        client: likewise.
        step: likewise.
        query: likewise.

    Examples:
        >>> stream_key(0, "sample", round_index=3) == stream_key(0, "sample", round_index=3)
        True
    """
    packed = _LAYOUT.pack(seed, purpose.encode(), round_index, client, step, query)
    return int.from_bytes(hashlib.blake2b(packed).digest()[:8], "little") & _LOW_63_BITS


def generator(key: int) -> np.random.Generator:
    """Return a numpy generator for a key of :func:`stream_key` (Philox, so equal keys give equal draws)."""
    return np.random.Generator(np.random.Philox(key=key))


@contextmanager
def preserved_torch_state(key: int | None = None) -> Iterator[None]:
    """Run code that draws from torch's global generators, and leave these as they were.

    Args:
        key: seeds the generators inside the block; None leaves them unseeded (for code whose draws are discarded).
    """
    import torch

    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        if key is not None:
            torch.random.manual_seed(key)
        yield


@contextmanager
def same_python_draws() -> Iterator[None]:
    """Run code that draws from Python's global generator, the same each time, and leave this as it was."""
    before = random.getstate()
    random.setstate(random.Random(0).getstate())
    try:
        yield
    finally:
        random.setstate(before)
