"""docs/ledger-format.md says enough: a reader written from it sees the same, and its vectors are those of the code."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.chain import PREAMBLE, Found, first_chain, walk
from fedmezo.ledger.codec import HASHES, configuration_text, pack
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord, HashRecord, Header, Record, RoundRecord, StopRecord
from tests import ledger_reader, numpy_replay
from tests.example_counts import examples
from tests.ledger.generated import SLOW, exactly, flipped, ledger_bytes, mutated, records, runs
from tests.ledger.vectors import LAYOUT, vector

Row = dict[str, Any]
DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger-format.md"


# ---- both readers see the same


def as_row(record: Record) -> Row:
    """Return what the second reader is to find, bit for bit."""
    found = dict(vars(record))
    match record:
        case Header():
            return {"kind": "header", **found, "text": configuration_text(record.configuration).encode()}
        case RoundRecord():
            clients = [vars(client) | {"seconds": 0.0} for client in record.clients]
            rejected = [vars(rejection) for rejection in record.rejected]
            row = {"kind": "round", "round": record.round_index, "rounds_done": record.rounds_done}
            return row | {"digest": record.digest, "clients": clients, "rejected": rejected}
        case EvaluationRecord():
            splits = {
                split: {name: vars(measured) for name, measured in own.items()} for split, own in record.splits.items()
            }
            return {"kind": "evaluation", **found, "splits": splits}
        case HashRecord():
            return {"kind": "hash", **found}
        case StopRecord():
            return {"kind": "stop", **found}


def as_read(row: Row) -> Row:
    """Return a row of the second reader without what is no part of its record."""
    found = {name: value for name, value in row.items() if name not in ("end", "chain")}
    if found["kind"] == "round":
        found["clients"] = [client | {"seconds": 0.0} for client in found["clients"]]
    return found


def comparable(row: Row) -> object:
    """Return a row in which floats are bytes; the order of its names means nothing, that of its lists does."""
    return exactly(_sorted(row))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def walked(data: bytes) -> Found:
    try:
        return walk(data)
    except MalformedError as error:
        return Found((), len(data), str(error))


def assert_both_read_the_same(data: bytes) -> int:
    """Make sure that both readers find the same records, and a fault or none; return how many."""
    ours, theirs = walked(data), ledger_reader.read(data)
    assert bool(ours.fault) is bool(theirs.fault), (ours.fault, theirs.fault)
    assert [(link.end, link.chain) for link in ours.links] == [(row["end"], row["chain"]) for row in theirs.records]
    for link, row in zip(ours.links, theirs.records, strict=True):
        assert comparable(as_row(link.record)) == comparable(as_read(row))
    whole = len(PREAMBLE) if data.startswith(PREAMBLE) else 0
    assert theirs.offset == max(ours.end, whole)
    return len(ours.links)


@settings(SLOW, max_examples=examples(100))
@given(runs())
def test_the_second_reader_sees_what_was_recorded(run: list[Record]) -> None:
    data = ledger_bytes(run)
    found = ledger_reader.read(data)
    assert (found.fault, found.offset) == ("", len(data))
    assert [comparable(as_read(row)) for row in found.records] == [comparable(as_row(record)) for record in run]
    assert assert_both_read_the_same(data) == len(run)


@settings(SLOW, max_examples=examples(40))
@given(run=runs())
def test_the_second_reader_sees_what_a_ledger_writes(
    tmp_path_factory: pytest.TempPathFactory, run: list[Record]
) -> None:
    header, *entries = run
    assert isinstance(header, Header)
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.bin")
    ledger.begin(header)
    for record in entries:
        ledger.append(record)
    data = ledger.path.read_bytes()
    assert data == ledger_bytes(run) and assert_both_read_the_same(data) == len(run)


@settings(SLOW, max_examples=examples(200))
@given(st.data())
def test_both_readers_stop_at_the_same_fault(data: st.DataObject) -> None:
    assert_both_read_the_same(data.draw(mutated(ledger_bytes(data.draw(runs())))))


@settings(SLOW, max_examples=examples(500))
@given(st.data())
def test_both_readers_take_the_same_bodies_for_records(data: st.DataObject) -> None:
    """Bodies that have been changed and sealed again: neither checksum nor chain gives them away."""
    kind, body = pack(data.draw(records()))
    changed = data.draw(mutated(body))
    _compare_bodies(kind, changed)


@settings(SLOW, max_examples=examples(20, least=5))
@given(records())
def test_both_readers_take_the_same_bodies_for_records_whatever_bit_is_flipped(record: Record) -> None:
    kind, body = pack(record)
    for bit in range(min(8 * len(body), 1000)):
        _compare_bodies(kind, flipped(body, bit))


def _compare_bodies(kind: int, body: bytes) -> None:
    """Read a body as the first record, or the first one after a header, and after the round that it says it is of."""
    start = b"" if kind == 1 else _frame(1, pack(_plain_header())[1], first_chain())
    chain = first_chain() if kind == 1 else start[-16:]
    assert_both_read_the_same(PREAMBLE + start + _frame(kind, _at_the_beginning(kind, body), chain))


def _at_the_beginning(kind: int, body: bytes) -> bytes:
    """Return a body with the number of rounds that is expected after a header."""
    if kind == 1 or not body:
        return body
    end = next((at for at, byte in enumerate(body) if byte < 128), len(body) - 1)
    return bytes(1) + body[end + 1 :]


def _frame(kind: int, body: bytes, chain: bytes) -> bytes:
    covered = len(body).to_bytes(4, "little") + bytes([kind]) + body
    return covered + zlib.crc32(covered).to_bytes(4, "little") + ledger_reader.hash16(chain + covered)


def _plain_header() -> Header:
    return Header(dict.fromkeys(HASHES, bytes(16)), 1, {})


# ---- the document's vectors


def documented() -> dict[str, bytes]:
    """Return the vectors as the document says them."""
    block = DOCUMENT.read_text(encoding="utf-8").split("```vectors\n")[1].split("```")[0]
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith(" "):
            found[name] += line.strip()
        else:
            name = line
            found[name] = ""
    return {name: bytes.fromhex(digits) for name, digits in found.items()}


def documented_ledger() -> bytes:
    parts = documented()
    return b"".join(parts[name] for name in ("preamble", "header", "round", "hash"))


def test_the_documents_vectors_are_those_of_the_code() -> None:
    assert f"```vectors\n{vector().text()}```" in DOCUMENT.read_text(encoding="utf-8")


def test_both_readers_decode_the_documents_vectors() -> None:
    data = documented_ledger()
    assert assert_both_read_the_same(data) == 3
    expected = [comparable(as_row(record)) for record in vector().records]
    assert [comparable(as_read(row)) for row in ledger_reader.read(data).records] == expected
    assert [comparable(as_row(link.record)) for link in walk(data).links] == expected
    assert documented()["first chain"] == ledger_reader.hash16(documented()["preamble"])
    assert f"`{documented()['first chain'].hex()}`" in DOCUMENT.read_text(encoding="utf-8")


def test_the_checksum_is_that_of_the_documents_polynomial() -> None:
    for frame in vector().frames():
        found = 0xFFFFFFFF
        for byte in frame[:-20]:
            found ^= byte
            for _ in range(8):
                found = found >> 1 ^ (0xEDB88320 if found & 1 else 0)
        assert (found ^ 0xFFFFFFFF).to_bytes(4, "little") == frame[-20:-16]


def test_numpy_rebuilds_the_documents_parameters() -> None:
    parts = documented()
    header, row, last = ledger_reader.read(documented_ledger()).records
    start = np.frombuffer(parts["start"], dtype="<f4")
    after = numpy_replay.replay(start, [row], header["configuration"], LAYOUT)
    assert after.tobytes() == parts["after"] and last["digest"] == ledger_reader.hash16(parts["after"])
    assert header["hashes"]["initial"] == ledger_reader.hash16(parts["start"])
    cut_off = (start.view(np.uint32) >> np.uint32(16)).astype(np.uint16)  # exactly the same values
    half = numpy_replay.replay(cut_off, [row], header["configuration"], LAYOUT)
    assert half.tobytes() == parts["after in bf16"]
