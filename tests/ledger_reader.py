"""A second reader of ``ledger.bin``, written from docs/ledger-format.md: the standard library and numpy alone."""

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = bytes.fromhex("89464d5a0d0a1a0a")
PREAMBLE = MAGIC + b"\x01\x00"
HASHES = ("configuration", "model", "parameters", "initial", "partition", "data")
REASONS = (
    "malformed",
    "of another configuration, model or starting point",
    "of another round",
    "of another client",
    "a wrong number of values",
    "a value that is not finite",
    "a value beyond federate.gradient_bound",
    "none: the client failed",
    "none in time",
)

Row = dict[str, Any]


class FaultError(Exception):
    """What is wrong with the bytes at hand."""


@dataclass(frozen=True)
class Reading:
    """What a ledger holds.

    Args:
        records: the valid ones, in order; each says its ``kind``, and ``end``, the offset after it.
        offset: where the first fault begins; the file's size if there is none.
        fault: what it is; '' if there is none.
    """

    records: list[Row]
    offset: int
    fault: str

    def rounds(self) -> list[Row]:
        """Return the valid rounds."""
        return [record for record in self.records if record["kind"] == "round"]


class Cursor:
    """Takes values from the front of a body."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        """Return so many bytes."""
        if size > len(self.data):
            raise FaultError("the body is too short")
        found, self.data = self.data[:size], self.data[size:]
        return found

    def values(self, layout: str) -> tuple[Any, ...]:
        """Return little-endian values without padding."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def count(self) -> int:
        """Return a number of LEB128."""
        value = 0
        for position in range(5):
            byte = self.take(1)[0]
            value |= (byte & 127) << 7 * position
            if byte < 128:
                if value >= 2**32 or (position and not byte):
                    raise FaultError("a count that is too large, or too long")
                return value
        raise FaultError("a count that is too long")

    def number(self) -> float:
        """Return an f64, of which there is one NaN."""
        data = self.take(8)
        value = float(struct.unpack("<d", data)[0])
        if math.isnan(value) and data != bytes.fromhex("000000000000f87f"):
            raise FaultError("another NaN")
        return value

    def text(self) -> str:
        """Return a text."""
        try:
            return self.take(self.count()).decode()
        except UnicodeDecodeError as error:
            raise FaultError("a text that is not UTF-8") from error

    def value(self, layout: str) -> Any:
        """Return one of them."""
        return self.values(layout)[0]


def read(data: bytes) -> Reading:
    """Return the valid records of a file's bytes, and where they stop being valid."""
    records: list[Row] = []
    if not data:
        return Reading(records, 0, "")
    if data[: len(PREAMBLE)] != PREAMBLE:
        return Reading(records, 0, "no ledger of version 1")
    at, chain = len(PREAMBLE), hash16(PREAMBLE)
    while at < len(data):
        try:
            kind, body, end, chain = frame(data, at, chain)
            record = KINDS[kind](Cursor(body)) if kind in KINDS else _unknown(kind)
            place(record, records)
        except FaultError as error:
            return Reading(records, at, str(error))
        records.append(record | {"end": end, "chain": chain})
        at = end
    return Reading(records, at, "")


def frame(data: bytes, at: int, chain: bytes) -> tuple[int, bytes, int, bytes]:
    """Return kind, body, end and chain hash of the frame at an offset."""
    if len(data) - at < 5:
        raise FaultError("the file ends within a frame")
    length, kind = struct.unpack_from("<IB", data, at)
    middle, end = at + 5 + length, at + 5 + length + 20
    if end > len(data):
        raise FaultError("the file ends within a frame")
    covered = data[at:middle]
    (checksum,) = struct.unpack_from("<I", data, middle)
    if zlib.crc32(covered) != checksum:
        raise FaultError("another CRC")
    following = hash16(chain + covered)
    if following != data[middle + 4 : end]:
        raise FaultError("another chain")
    return kind, covered[5:], end, following


def place(record: Row, before: list[Row]) -> None:
    """Make sure that a record may stand here."""
    if (record["kind"] == "header") is bool(before):
        raise FaultError("a header that is not first, or a first record that is no header")
    if not before:
        return
    done = before[-1].get("rounds_done", 0)
    if record["rounds_done"] != done + (record["kind"] == "round"):
        raise FaultError("a record of another number of rounds")


def header(cursor: Cursor) -> Row:
    """Decode kind 1."""
    hashes = {name: cursor.take(16) for name in HASHES}
    size, text = cursor.value("Q"), cursor.data
    configuration = _json(text)
    if json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode() != text:
        raise FaultError("the configuration is not in its one form")
    return {"kind": "header", "hashes": hashes, "size": size, "configuration": configuration, "text": text}


def a_round(cursor: Cursor) -> Row:
    """Decode kind 2."""
    index, transport, queries, count, rejected = (cursor.count() for _ in range(5))
    if transport > 1 or (queries and (transport or not count)):
        raise FaultError("no such transport, or queries where there can be none")
    digest = cursor.take(16) if transport else None
    clients = [_client(cursor, queries, bool(transport)) for _ in range(count)]
    numbers = [client["client"] for client in clients]
    if numbers != sorted(set(numbers)):
        raise FaultError("clients out of order")
    refused = [_rejection(cursor) for _ in range(rejected)]
    _end(cursor)
    found = {"kind": "round", "round": index, "rounds_done": index + 1, "digest": digest}
    return found | {"clients": clients, "rejected": refused}


def _client(cursor: Cursor, queries: int, weights: bool) -> Row:
    number, steps, weight, rate = cursor.count(), cursor.count(), cursor.count(), cursor.number()
    if not 0.0 <= rate < math.inf or (steps and (weights or not queries)):
        raise FaultError("no learning rate, or steps where there can be none")
    gradients = np.frombuffer(cursor.take(4 * steps * queries), dtype="<f4").reshape(steps, queries)
    if not np.isfinite(gradients).all():
        raise FaultError("a projected gradient that is not finite")
    found = {"client": number, "learning_rate": rate, "weight": weight, "gradients": None if weights else gradients}
    return found | _report(cursor, found)


def _report(cursor: Cursor, sent: Row) -> Row:
    flags, loss = cursor.values("Bf")
    if flags > 31 or (not flags & 1 and struct.pack("<f", loss) != bytes(4)) or (flags & 1 and math.isnan(loss)):
        raise FaultError("flags that mean nothing, or a loss beside them")
    examples = cursor.count() if flags & 2 else sent["weight"]
    nonfinite = cursor.count() if flags & 4 else 0
    failed = _failed(cursor, sent["gradients"]) if flags & 8 else None
    distance = cursor.number() if flags & 16 else None
    if (flags & 2 and examples == sent["weight"]) or (flags & 4 and nonfinite == 0):
        raise FaultError("a value that takes no room is written")
    if distance == 0.0 and math.copysign(1.0, distance) < 0.0:
        raise FaultError("a distance of -0.0")
    loss = loss if flags & 1 else math.nan
    return {
        **{"examples": examples, "train_loss": loss, "nonfinite": nonfinite},
        **{"failed": failed, "update_distance": distance},
    }


def _failed(cursor: Cursor, gradients: np.ndarray | None) -> np.ndarray:
    if gradients is None:
        raise FaultError("failed steps where weights travel")
    packed, count = cursor.take(-(-gradients.size // 8)), gradients.size
    bits = [packed[i // 8] >> (i % 8) & 1 for i in range(8 * len(packed))]
    failed = np.array(bits[:count], dtype=bool).reshape(gradients.shape)
    if any(bits[count:]) or not failed.any() or gradients[failed].any():
        raise FaultError("failed steps that are none")
    return failed


def _rejection(cursor: Cursor) -> Row:
    client, reason = cursor.count(), cursor.count()
    if reason >= len(REASONS):
        raise FaultError("no such reason")
    return {"client": client, "reason": REASONS[reason]}


def evaluation(cursor: Cursor) -> Row:
    """Decode kind 3."""
    rounds_done = cursor.count()
    splits: dict[str, dict[str, Row]] = {}
    for _ in range(cursor.count()):
        split = cursor.text()
        if split in splits:
            raise FaultError("a split is there twice")
        splits[split] = _split(cursor)
    _end(cursor)
    return {"kind": "evaluation", "rounds_done": rounds_done, "splits": splits}


def _split(cursor: Cursor) -> dict[str, Row]:
    """Decode the metrics of a split."""
    loss, known = cursor.number(), cursor.value("B")
    if known > 3:
        raise FaultError("details that are neither there nor not")
    found = {"loss": _metric(loss, higher=False)}
    if known:
        found["accuracy"] = _metric(cursor.number(), higher=True)
        found["exact_match"] = _metric(cursor.number(), higher=True)
        found["loss"] |= {"clients": _group(cursor), "categories": _group(cursor)}
    if known >= 2:
        found["accuracy"] |= {"clients": _group(cursor), "categories": _group(cursor)}
    further = cursor.count() if known == 3 else None
    if further == 0:
        raise FaultError("further metrics that are none")
    for _ in range(further or 0):
        name, flags, value = cursor.text(), cursor.value("B"), cursor.number()
        if name in found or flags > 3:
            raise FaultError("a metric is there twice, or its flags mean nothing")
        found[name] = _metric(value, higher=bool(flags & 1))
        if flags & 2:
            found[name] |= {"clients": _group(cursor), "categories": _group(cursor)}
    return found


def _metric(value: float, *, higher: bool) -> Row:
    return {"value": value, "higher_is_better": higher, "clients": None, "categories": None}


def _group(cursor: Cursor) -> dict[str, float]:
    found: dict[str, float] = {}
    for _ in range(cursor.count()):
        name = cursor.text()
        if name in found:
            raise FaultError("a name is there twice")
        found[name] = cursor.number()
    return found


def a_hash(cursor: Cursor) -> Row:
    """Decode kind 4."""
    found = {"kind": "hash", "rounds_done": cursor.count(), "digest": cursor.take(16)}
    _end(cursor)
    return found


def stop(cursor: Cursor) -> Row:
    """Decode kind 5."""
    rounds_done, patience = cursor.count(), cursor.count()
    _end(cursor)
    return {"kind": "stop", "rounds_done": rounds_done, "patience": patience}


KINDS: dict[int, Callable[[Cursor], Row]] = {1: header, 2: a_round, 3: evaluation, 4: a_hash, 5: stop}


def _unknown(kind: int) -> Row:
    raise FaultError(f"no kind {kind}")


def _end(cursor: Cursor) -> None:
    if cursor.data:
        raise FaultError("the body is too long")


def _json(text: bytes) -> Row:
    try:
        found = json.loads(text.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FaultError("no JSON") from error
    if not isinstance(found, dict):
        raise FaultError("no JSON object")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def hash16(data: bytes) -> bytes:
    """Return the BLAKE2b of 16 bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()
