"""Evaluations as bytes: record 3 of ``docs/ledger-format.md``."""

import struct
from collections.abc import Mapping
from itertools import starmap

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.packing import Reader, packed_count, packed_number, packed_text
from fedmezo.ledger.records import EvaluationRecord, Measured

# metrics with a place of their own in a record, and whether higher is better; any others follow them by name
PLACED = {"loss": False, "accuracy": True, "exact_match": True}

_BYTE = struct.Struct("<B")
_HIGHER, _GROUPS = 1, 2  # flags of a metric that is recorded by name


def pack_evaluation(record: EvaluationRecord) -> bytes:
    """Return the body of an evaluation."""
    parts = [packed_count(record.rounds_done), packed_count(len(record.splits))]
    for split, found in record.splits.items():
        mark = _mark(found)
        parts += [packed_text(split), packed_number(found["loss"].value), _BYTE.pack(mark)]
        if mark:
            parts += [packed_number(found["accuracy"].value), packed_number(found["exact_match"].value)]
            parts.append(_pack_groups(found["loss"]))
        if mark >= 2:
            parts.append(_pack_groups(found["accuracy"]))
        if mark == 3:
            further = {name: measured for name, measured in found.items() if name not in PLACED}
            parts += [packed_count(len(further)), *starmap(_pack_further, further.items())]
    return b"".join(parts)


def _mark(found: Mapping[str, Measured]) -> int:
    """Return what is recorded of a split: 0 its loss, 1 what there always was, 2 accuracy by group too, 3 all."""
    if found.keys() == {"loss"}:
        return 0
    if found.keys() > PLACED.keys():
        return 3
    return 1 if found["accuracy"].clients is None else 2


def _pack_further(name: str, measured: Measured) -> bytes:
    groups = measured.clients is not None
    flags = _HIGHER * measured.higher_is_better + _GROUPS * groups
    head = packed_text(name) + _BYTE.pack(flags) + packed_number(measured.value)
    return head + (_pack_groups(measured) if groups else b"")


def _pack_groups(measured: Measured) -> bytes:
    return _pack_group(measured.clients or {}) + _pack_group(measured.categories or {})


def _pack_group(members: Mapping[str, float]) -> bytes:
    rows = (packed_text(name) + packed_number(value) for name, value in members.items())
    return packed_count(len(members)) + b"".join(rows)


def unpack_evaluation(reader: Reader) -> EvaluationRecord:
    """Return the evaluation of a body.

    Raises:
        MalformedError: there is none.
    """
    rounds_done = reader.count()
    splits = {reader.text(): _unpack_split(reader) for _ in range(reader.count())}
    return EvaluationRecord(rounds_done, splits)


def _unpack_split(reader: Reader) -> dict[str, Measured]:
    loss, (mark,) = reader.number(), reader.unpack(_BYTE)
    if mark > 3:
        raise MalformedError(f"there are no details of kind {mark}")
    if mark == 0:
        return {"loss": Measured(loss)}
    accuracy, exact_match = reader.number(), reader.number()
    found = {
        "loss": Measured(loss, PLACED["loss"], *_unpack_groups(reader)),
        "accuracy": Measured(accuracy, PLACED["accuracy"], *(_unpack_groups(reader) if mark >= 2 else ())),
        "exact_match": Measured(exact_match, PLACED["exact_match"]),
    }
    return found | dict(_unpack_further(reader) for _ in range(reader.count() if mark == 3 else 0))


def _unpack_further(reader: Reader) -> tuple[str, Measured]:
    name, (flags,), value = reader.text(), reader.unpack(_BYTE), reader.number()
    groups = _unpack_groups(reader) if flags & _GROUPS else ()
    return name, Measured(value, bool(flags & _HIGHER), *groups)


def _unpack_groups(reader: Reader) -> tuple[dict[str, float], dict[str, float]]:
    return _unpack_group(reader), _unpack_group(reader)


def _unpack_group(reader: Reader) -> dict[str, float]:
    return {reader.text(): reader.number() for _ in range(reader.count())}
