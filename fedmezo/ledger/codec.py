"""From records to bytes and back. The format is described in ``docs/ledger-format.md``.

Every body has one form only: what can be unpacked packs to the same bytes again.
"""

import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.evaluation_codec import pack_evaluation, unpack_evaluation
from fedmezo.ledger.packing import Reader, packed_count, packed_flags, packed_floats, packed_number
from fedmezo.ledger.records import (
    REASONS,
    ClientRecord,
    EvaluationRecord,
    HashRecord,
    Header,
    Record,
    Rejection,
    RoundRecord,
    StopRecord,
)

HASH_SIZE = 16
HASHES = ("configuration", "model", "parameters", "initial", "partition", "data")

_HEADER = struct.Struct("<96sQ")
_REPORT = struct.Struct("<Bf")
_HAS_LOSS, _HAS_EXAMPLES, _HAS_NONFINITE, _HAS_FAILED, _HAS_DISTANCE = 1, 2, 4, 8, 16


def pack_sent(client: ClientRecord) -> bytes:
    """Return what anybody needs to replay a client's steps: who, how many, weight, rate, and projected gradients."""
    steps = 0 if client.gradients is None else len(client.gradients)
    counts = b"".join(map(packed_count, (client.client, steps, client.weight)))
    gradients = b"" if client.gradients is None else packed_floats(client.gradients)
    return counts + packed_number(client.learning_rate) + gradients


def unpack_sent(reader: Reader, queries: int, weights: bool) -> ClientRecord:
    """Return a client's part with nothing but what :func:`pack_sent` keeps."""
    number, steps, weight, rate = reader.count(), reader.count(), reader.count(), reader.number()
    if not 0.0 <= rate < math.inf:
        raise MalformedError(f"{rate} is no learning rate")
    if weights:
        if steps:
            raise MalformedError("steps where weights travel")
        return ClientRecord(number, rate, weight, weight, math.nan)
    if steps and not queries:
        raise MalformedError("steps without directions")
    gradients = reader.floats(steps, queries)
    if not np.isfinite(gradients).all():
        raise MalformedError("a projected gradient that is not finite")
    return ClientRecord(number, rate, weight, weight, math.nan, gradients=gradients)


def pack(record: Record) -> tuple[int, bytes]:
    """Return the kind and the body of a record."""
    for kind, form in FORMS.items():
        if isinstance(record, form.record):
            return kind, form.pack(record)
    raise TypeError(f"{type(record).__name__} is no record")


def unpack(kind: int, body: bytes | memoryview) -> Record:
    """Return the record of a kind and a body.

    Raises:
        MalformedError: there is none.
    """
    if kind not in FORMS:
        raise MalformedError(f"there is no record of kind {kind}")
    reader = Reader(body)
    try:
        record = FORMS[kind].unpack(reader)
        reader.end()
        same = pack(record) == (kind, bytes(body))
    except (RecursionError, OverflowError, struct.error) as error:
        raise MalformedError(f"no record: {error}") from error
    if not same:
        raise MalformedError("not in the one form that a record has")
    return record


def configuration_text(configuration: Any) -> str:
    """Return a configuration as it is hashed and written."""
    return json.dumps(configuration, sort_keys=True, separators=(",", ":"))


def _pack_header(header: Header) -> bytes:
    hashes = b"".join(header.hashes[name] for name in HASHES)
    return _HEADER.pack(hashes, header.size) + configuration_text(header.configuration).encode()


def _unpack_header(reader: Reader) -> Header:
    hashes, size = reader.unpack(_HEADER)
    parts = (hashes[start : start + HASH_SIZE] for start in range(0, len(hashes), HASH_SIZE))
    return Header(dict(zip(HASHES, parts, strict=True)), size, _object(reader))


def _pack_round(record: RoundRecord) -> bytes:
    sizes = {client.gradients.shape[1] for client in record.clients if client.gradients is not None}
    weights = record.digest is not None
    counts = (record.round_index, int(weights), max(sizes, default=0), len(record.clients), len(record.rejected))
    parts = [*map(packed_count, counts), record.digest or b""]
    for client in record.clients:
        parts += [pack_sent(client), _pack_report(client)]
    parts += [packed_count(row.client) + packed_count(REASONS.index(row.reason)) for row in record.rejected]
    return b"".join(parts)


def _unpack_round(reader: Reader) -> RoundRecord:
    number, weights, queries, clients, rejected = (reader.count() for _ in range(5))
    if weights > 1:
        raise MalformedError(f"{weights} is neither scalars (0) nor weights (1)")
    digest = bytes(reader.take(HASH_SIZE)) if weights else None
    found = tuple(_unpack_client(reader, queries, bool(weights)) for _ in range(clients))
    _ascending([client.client for client in found])
    return RoundRecord(number, found, tuple(_unpack_rejection(reader) for _ in range(rejected)), digest)


def _ascending(clients: Sequence[int]) -> None:
    if any(later <= earlier for earlier, later in pairwise(clients)):
        raise MalformedError("clients that are not in ascending order")


def _pack_report(client: ClientRecord) -> bytes:
    """Return what only the server knows of a client's round; what is not there takes no room."""
    known = not math.isnan(client.train_loss)
    optional = (
        (_HAS_LOSS, known, b""),
        (_HAS_EXAMPLES, client.examples != client.weight, packed_count(client.examples)),
        (_HAS_NONFINITE, client.nonfinite > 0, packed_count(client.nonfinite)),
        (_HAS_FAILED, client.failed is not None, b"" if client.failed is None else packed_flags(client.failed)),
        (_HAS_DISTANCE, client.update_distance is not None, packed_number(client.update_distance or 0.0)),
    )
    flags = sum(flag for flag, there, _ in optional if there)
    head = _REPORT.pack(flags, client.train_loss if known else 0.0)
    return head + b"".join(part for _, there, part in optional if there)


def _unpack_client(reader: Reader, queries: int, weights: bool) -> ClientRecord:
    sent = unpack_sent(reader, queries, weights)
    flags, loss = reader.unpack(_REPORT)
    failed = None
    examples = reader.count() if flags & _HAS_EXAMPLES else sent.weight
    nonfinite = reader.count() if flags & _HAS_NONFINITE else 0
    if flags & _HAS_FAILED:
        if sent.gradients is None:
            raise MalformedError("failed steps where weights travel")
        failed = reader.flags(sent.gradients.size).reshape(sent.gradients.shape)
        if not failed.any() or sent.gradients[failed].any():
            raise MalformedError("failed steps that are none")
    distance = reader.number() if flags & _HAS_DISTANCE else None
    return ClientRecord(
        client=sent.client,
        learning_rate=sent.learning_rate,
        examples=examples,
        weight=sent.weight,
        train_loss=loss if flags & _HAS_LOSS else math.nan,
        nonfinite=nonfinite,
        gradients=sent.gradients,
        failed=failed,
        update_distance=distance,
    )


def _unpack_rejection(reader: Reader) -> Rejection:
    client, reason = reader.count(), reader.count()
    if reason >= len(REASONS):
        raise MalformedError(f"there is no reason {reason}")
    return Rejection(client, REASONS[reason])


def _object(reader: Reader) -> dict[str, Any]:
    """Return the JSON object that the rest of a body is."""
    try:
        found = json.loads(bytes(reader.rest()).decode(), parse_constant=_no_number)
    except ValueError as error:  # not JSON, or not UTF-8
        raise MalformedError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise MalformedError("no JSON object")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


@dataclass(frozen=True)
class Form:
    """How the records of a kind are packed."""

    record: type
    pack: Callable[[Any], bytes]
    unpack: Callable[[Reader], Record]


FORMS = {
    1: Form(Header, _pack_header, _unpack_header),
    2: Form(RoundRecord, _pack_round, _unpack_round),
    3: Form(EvaluationRecord, pack_evaluation, unpack_evaluation),
    4: Form(
        HashRecord,
        lambda record: packed_count(record.rounds_done) + record.digest,
        lambda reader: HashRecord(reader.count(), bytes(reader.take(HASH_SIZE))),
    ),
    5: Form(
        StopRecord,
        lambda record: packed_count(record.rounds_done) + packed_count(record.patience),
        lambda reader: StopRecord(reader.count(), reader.count()),
    ),
}
