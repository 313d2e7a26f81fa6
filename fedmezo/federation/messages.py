"""What the server and its clients tell each other, and how many bytes that is.

Sizes are those of the packed little-endian payload (framing of a network comes on top)::

    header   uint32 round | uint32 client | uint32 examples | uint16 steps | uint16 queries
    scalars  up:   header | float32 mean loss | float32 g [H, Q] | a bit per g: was it finite
             down: per client: header | float64 rate | float32 g [H, Q] | the bits
    weights  up:   header | float32 mean loss | float32 [d]
             down: header | float32 [d]
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from fedmezo.trainers import LocalUpdate

HEADER = struct.calcsize("<IIIHH")


@dataclass(frozen=True)
class Task:
    """The server's order to one client."""

    round_index: int
    client: int
    learning_rate: float


@dataclass(frozen=True)
class Plan:
    """The tasks of one round, in client order."""

    round_index: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Result:
    """A client's answer to its task."""

    task: Task
    update: LocalUpdate
    seconds: float


def _packed(scalars: int) -> int:
    return 4 * scalars + -(-scalars // 8)


def bytes_up(size: int, scalars: int | None) -> int:
    """Return the payload a client sends: H*Q ``scalars``, or ``size`` parameters if None."""
    return HEADER + 4 + (4 * size if scalars is None else _packed(scalars))


def bytes_down(size: int, scalars: Sequence[int] | None) -> int:
    """Return the payload a client receives: every client's ``scalars`` of a round, or ``size`` parameters if None."""
    if scalars is None:
        return HEADER + 4 * size
    return sum(HEADER + 8 + _packed(count) for count in scalars)
