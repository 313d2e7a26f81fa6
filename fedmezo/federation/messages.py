"""What the server and its clients tell each other, as bytes.

All little-endian; ``identity`` is what the run started from (configuration, model, parameters, starting point), so that
who works on something else is noticed::

    up    uint8 version | uint8 flags | 8 bytes identity | uint32 round | uint32 client | uint32 examples
          | uint32 steps | uint16 queries | uint16 losses not finite | float32 mean loss (NaN if there was none)
          scalars (flag 1 not set): float32 g [steps, queries]; flag 2: a bit for each of them, was its loss not finite
          weights (flag 1):         float32 (flag 4: float64) parameters [d]
    down  uint8 version | uint8 flags | 8 bytes identity | uint32 round | uint32 client | uint32 steps
          | float64 rate | uint32 first
          scalars: rounds ``first``, ``first + 1``, ... that the client has missed, each
                   count queries | count clients, and of each of these count client | count steps | count weight
                   | float64 rate | float32 g [steps, queries]   (a count is in LEB128, as in the ledger)
          weights (flag 1): float32 (flag 8: bfloat16) parameters [d] after ``first`` rounds

Nothing is folded: a client rebuilds the parameters from raw gradients, as the server does (numerics: what travels).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.codec import pack_sent, unpack_sent
from fedmezo.ledger.packing import Reader, packed_count, packed_flags, packed_floats
from fedmezo.ledger.records import RoundRecord
from fedmezo.training import LocalUpdate

VERSION = 1
IDENTITY_SIZE = 8

_UP = struct.Struct(f"<BB{IDENTITY_SIZE}sIIIIHHf")
_DOWN = struct.Struct(f"<BB{IDENTITY_SIZE}sIIIdI")
_WEIGHTS, _FAILED, _DOUBLE, _HALF = 1, 2, 4, 8
_MOST = (1 << 16) - 1
_WORDS = {2: "<i2", 4: "<f4", 8: "<f8"}  # as numpy reads parameters, by their size


@dataclass(frozen=True)
class Task:
    """The server's order to one client: to take ``steps`` local steps at a learning rate."""

    round_index: int
    client: int
    learning_rate: float
    steps: int


@dataclass(frozen=True)
class Plan:
    """The tasks of one round, in client order."""

    round_index: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True, eq=False)
class Message:
    """Bytes to be sent: a head, and parameters that are not copied into it."""

    head: bytes
    parameters: memoryview | None = None

    def __len__(self) -> int:
        """Return how many bytes are sent."""
        return len(self.head) + (0 if self.parameters is None else self.parameters.nbytes)

    def __bytes__(self) -> bytes:
        """Return the bytes in one piece."""
        return self.head + (b"" if self.parameters is None else self.parameters.tobytes())


@dataclass(frozen=True)
class Reply:
    """A client's answer to its task, as it arrives."""

    task: Task
    message: Message
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What a client's message says.

    Args:
        identity: of the run it worked on.
        round_index: it answers for.
        client: likewise.
        update: what it has learnt.
    """

    identity: bytes
    round_index: int
    client: int
    update: LocalUpdate


@dataclass(frozen=True, eq=False)
class Order:
    """What the server's message says: the task, and how the client gets to the global parameters.

    Args:
        identity: of the run.
        task: to be done.
        first: the first of ``missed``, or how many rounds ``parameters`` are after.
        missed: rounds to be replayed.
        parameters: [d], instead of them.
    """

    identity: bytes
    task: Task
    first: int
    missed: tuple[RoundRecord, ...] = ()
    parameters: Tensor | None = None


def pack_answer(identity: bytes, task: Task, update: LocalUpdate) -> Message:
    """Return the message of a client that has done its task."""
    gradients, point = update.gradients, update.point
    steps, queries = (0, 0) if gradients is None else gradients.shape
    flags = (_WEIGHTS if gradients is None else 0) | (_FAILED if update.failed else 0)
    if point is not None and point.dtype == torch.float64:
        flags |= _DOUBLE
    head = _UP.pack(
        *(VERSION, flags, identity, task.round_index, task.client, update.examples, steps, queries),
        *(min(update.nonfinite, _MOST), update.train_loss),
    )
    if gradients is None:
        assert point is not None
        return Message(head, _view(point))
    failed = np.zeros(gradients.shape, dtype=bool)
    for step, query in update.failed:
        failed[step, query] = True
    return Message(head + packed_floats(gradients) + (packed_flags(failed) if update.failed else b""))


def train_loss(message: Message) -> float:
    """Return the mean loss that a client's message says, without looking at the rest of it.

    Raises:
        MalformedError: it is none.
    """
    return float(Reader(message.head).unpack(_UP)[-1])


def unpack_answer(message: Message) -> Answer:
    """Return what a client's message says.

    Raises:
        MalformedError: nothing.
    """
    reader = Reader(message.head)
    version, flags, identity, round_index, client, examples, steps, queries, nonfinite, loss = reader.unpack(_UP)
    if version != VERSION or flags & ~(_WEIGHTS | _FAILED | _DOUBLE):
        raise MalformedError(f"a message of version {version} with flags {flags}")
    if flags & _WEIGHTS:
        kind = torch.float64 if flags & _DOUBLE else torch.float32
        point = _parameters(message, reader, kind)
        return Answer(identity, round_index, client, LocalUpdate(loss, examples, nonfinite, point=point))
    gradients = reader.floats(steps, queries)
    failed = reader.flags(gradients.size).reshape(gradients.shape) if flags & _FAILED else np.zeros((0, 1), dtype=bool)
    reader.end()
    where = tuple((int(step), int(query)) for step, query in np.argwhere(failed))
    update = LocalUpdate(loss, examples, nonfinite, gradients=gradients, failed=where)
    return Answer(identity, round_index, client, update)


def pack_order(
    identity: bytes, task: Task, first: int, missed: Sequence[RoundRecord], parameters: Tensor | None = None
) -> Message:
    """Return the message that sends a client to work: with rounds it has missed, or parameters."""
    flags = 0 if parameters is None else _WEIGHTS | (_HALF if parameters.dtype == torch.bfloat16 else 0)
    head = _DOWN.pack(*(VERSION, flags, identity, task.round_index, task.client, task.steps, task.learning_rate, first))
    if parameters is not None:
        return Message(head, _view(parameters))
    return Message(head + b"".join(map(pack_log, missed)))


def pack_log(record: RoundRecord) -> bytes:
    """Return what of a round is needed to replay it."""
    sizes = [client.gradients.shape[1] for client in record.clients if client.gradients is not None]
    head = packed_count(max(sizes, default=0)) + packed_count(len(record.clients))
    return head + b"".join(map(pack_sent, record.clients))


def unpack_order(message: Message) -> Order:
    """Return what the server's message says.

    Raises:
        MalformedError: nothing.
    """
    reader = Reader(message.head)
    version, flags, identity, round_index, client, steps, rate, first = reader.unpack(_DOWN)
    if version != VERSION or flags not in (0, _WEIGHTS, _WEIGHTS | _HALF) or not 0.0 <= rate < float("inf"):
        raise MalformedError(f"a message of version {version} with flags {flags} and rate {rate}")
    task = Task(round_index, client, rate, steps)
    if flags & _WEIGHTS:
        kind = torch.bfloat16 if flags & _HALF else torch.float32
        return Order(identity, task, first, parameters=_parameters(message, reader, kind))
    missed = tuple(_unpack_log(reader, number) for number in range(first, round_index))
    reader.end()
    return Order(identity, task, first, missed)


def _unpack_log(reader: Reader, number: int) -> RoundRecord:
    queries, count = reader.count(), reader.count()
    return RoundRecord(number, tuple(unpack_sent(reader, queries, weights=False) for _ in range(count)))


def _view(parameters: Tensor) -> memoryview:
    return parameters.detach().cpu().contiguous().view(torch.uint8).numpy().data


def _parameters(message: Message, reader: Reader, dtype: torch.dtype) -> Tensor:
    """Return the parameters of a message: those beside the head, or at its end where it came in one piece."""
    data = reader.rest() if message.parameters is None else message.parameters
    reader.end()
    if data.nbytes % dtype.itemsize or not data.nbytes:
        raise MalformedError(f"{data.nbytes} bytes of parameters")
    values = np.frombuffer(data, dtype=_WORDS[dtype.itemsize])
    return torch.from_numpy(values if values.flags.writeable else values.copy()).view(dtype)
