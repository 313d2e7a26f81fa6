import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.errors import ResourceError
from fedmezo.ledger.log import Log, Record
from fedmezo.ledger.records import ClientRecord, EvaluationRecord, RoundRecord

HEADER = {"format": 1, "parameters": "a1", "partition": "b2"}


def round_record(index: int) -> RoundRecord:
    return RoundRecord(index, (ClientRecord(0, 0.1, 2, 2.0, 1.5, gradients=((0.25,), (-0.0,))),))


RECORDS: list[Record] = [EvaluationRecord(0, {"val": 2.0}), round_record(0), round_record(1)]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Return a log of one evaluation and two rounds."""
    log = Log(tmp_path / "ledger.jsonl")
    log.start(HEADER)
    for record in RECORDS:
        log.append(record)
    return log


def test_records_come_back_in_order(log: Log) -> None:
    assert list(Log(log.path).records()) == RECORDS


def test_there_are_no_records_before_the_first_write(tmp_path: Path) -> None:
    log = Log(tmp_path / "ledger.jsonl")
    assert list(log.records()) == []
    assert not log.path.exists()


def test_a_record_is_on_the_disk_when_append_returns(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    log.append(round_record(2))
    assert synced == [log.path.stat().st_size]


def test_starting_again_writes_nothing(log: Log) -> None:
    before = log.path.read_bytes()
    log.start(HEADER)
    assert log.path.read_bytes() == before


def test_another_start_is_refused_and_says_what_differs(log: Log) -> None:
    with pytest.raises(ResourceError, match="this run began with another parameters, partition: "):
        log.start(HEADER | {"parameters": "a2", "partition": "b3"})
    with pytest.raises(ResourceError, match=f"{log.path}\n.*began with another initial: "):
        log.start(HEADER | {"initial": "c3"})


@settings(max_examples=30)
@given(st.data())
def test_a_torn_last_line_is_dropped_and_the_log_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    log = Log(tmp_path_factory.mktemp("torn") / "ledger.jsonl")
    log.start(HEADER)
    log.append(round_record(0))
    whole = log.path.read_bytes()
    log.append(round_record(1))
    kept = data.draw(st.integers(len(whole), log.path.stat().st_size - 1))
    os.truncate(log.path, kept)
    assert list(log.records()) == [round_record(0)]
    log.append(round_record(1))
    assert list(log.records()) == [round_record(0), round_record(1)]


def test_a_torn_header_begins_anew(tmp_path: Path) -> None:
    log = Log(tmp_path / "ledger.jsonl")
    log.path.write_text('{"kind": "head')
    log.start(HEADER)
    log.append(round_record(0))
    assert list(log.records()) == [round_record(0)]


@pytest.mark.parametrize("garbage", ["{broken", "", '{"kind": "round"} x'])
def test_a_damaged_line_is_named(log: Log, garbage: str) -> None:
    lines = log.path.read_text().splitlines()
    lines[2] = garbage
    log.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ResourceError, match=f"{log.path}:3\n    the ledger is damaged here: "):
        list(log.records())


@pytest.mark.parametrize("line", [b"5", b"{}", b'{"kind": "rounds"}', b'{"kind": "round"}', b'"\xff"'])
def test_a_line_that_is_no_record_is_named(log: Log, line: bytes) -> None:
    with log.path.open("ab") as file:
        file.write(line + b"\n")
    count = len(log.path.read_bytes().splitlines())
    with pytest.raises(ResourceError, match=f"{log.path.name}:{count}\n    the ledger is damaged here"):
        list(log.records())
