"""The file of a run's records: durable, in order, and never believed beyond the first fault."""

import os
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError, MalformedError, ResourceError
from fedmezo.ledger.chain import PREAMBLE, first_chain, sealed
from fedmezo.ledger.codec import pack
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import EvaluationRecord, Header, Record, StopRecord
from tests.ledger.made import RECORDS, evaluation, make_header, make_ledger, scalar_round, weight_round


def packed(ledger: Ledger) -> list[tuple[int, bytes]]:
    return [pack(record) for record in ledger.entries()]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger with a record of each kind."""
    return make_ledger(tmp_path / "ledger.bin")


def test_records_come_back_in_order(ledger: Ledger) -> None:
    again = Ledger(ledger.path)
    assert packed(again) == [pack(record) for record in RECORDS] and again.fault == ""
    assert len(again.rounds()) == 2 and len(again.evaluations()) == 2 and again.hashes() == {2: b"h" * 16}
    assert again.has(StopRecord, 2) and not again.has(StopRecord, 1)
    assert again.chains() == ledger.chains() and sorted(again.chains()) == [1, 2]


def test_there_are_no_records_before_the_first_write(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.bin")
    assert (list(ledger.entries()), ledger.header, ledger.fault) == ([], None, "")
    assert not ledger.path.exists()


def test_a_record_is_on_the_disk_when_append_returns(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    ledger.append(evaluation(2, val=1.0))
    assert synced == [ledger.path.stat().st_size]


def test_beginning_again_writes_nothing(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    Ledger(ledger.path).begin(make_header())
    assert ledger.path.read_bytes() == before


def test_another_configuration_is_refused_and_every_differing_key_named(ledger: Ledger) -> None:
    other = make_header(configuration={"seed": 1, "train.optimizer.lr": 1e-5, "zo.mu": 0.1})
    with pytest.raises(ConfigurationError) as caught:
        ledger.begin(other)
    assert "seed: it was 0, now it is 1\n    zo.mu: it was not there, now it is 0.1\n" in str(caught.value)
    assert "train.optimizer.lr" not in str(caught.value)


@pytest.mark.parametrize("name", ["model", "data", "initial", "partition", "parameters"])
def test_another_beginning_is_refused_and_named(ledger: Ledger, name: str) -> None:
    before = ledger.path.read_bytes()
    changed = make_header(hashes=dict(make_header().hashes) | {name: b"x" * 16})
    with pytest.raises(ResourceError, match=f"{ledger.path}\n.*began with another {name}: "):
        ledger.begin(changed)
    assert ledger.path.read_bytes() == before


def test_every_cut_leaves_what_was_whole_and_the_ledger_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    """A crash may leave any part of what was being written."""
    whole = ledger.path.read_bytes()
    ends, chain = [], sealed(make_header(), first_chain())
    at = len(PREAMBLE) + len(chain[0])
    for record in RECORDS:
        ends.append(at)
        frame, following = sealed(record, chain[1])
        chain, at = (frame, following), at + len(frame)
    for size in sorted({*range(0, len(whole), 11), *ends, *(end + 1 for end in ends), *(end - 1 for end in ends)}):
        path = tmp_path / "cut" / "ledger.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole[:size])
        cut = Ledger(path)
        kept = sum(end <= size for end in [*ends, at]) - 1
        assert packed(cut) == [pack(record) for record in RECORDS[: max(kept, 0)]]
        assert bool(cut.fault) is (size not in (0, len(PREAMBLE), *ends))
        cut.begin(make_header())
        for record in RECORDS[max(kept, 0) :]:
            cut.append(record)
        assert path.read_bytes() == whole
        aside = path.with_name("ledger.dropped.bin")
        assert aside.exists() is bool(size not in (0, len(PREAMBLE), *ends))
        aside.unlink(missing_ok=True)
        path.unlink()


def test_what_follows_a_flipped_bit_is_set_aside_and_named(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    whole = bytearray(ledger.path.read_bytes())
    whole[-1] ^= 1
    ledger.path.write_bytes(whole)
    damaged = Ledger(ledger.path)
    assert "record 6" in damaged.damage() and "2 rounds before it are valid" in damaged.damage()
    damaged.begin(make_header())
    assert packed(damaged) == [pack(record) for record in RECORDS[:-1]]
    aside = ledger.path.with_name("ledger.dropped.bin")
    assert aside.read_bytes() == bytes(whole[-aside.stat().st_size :])
    assert str(aside) in caplog.text and "goes on from round 2" in caplog.text


def test_nothing_set_aside_is_overwritten(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.path.write_bytes(ledger.path.read_bytes() + b"torn")
        Ledger(ledger.path).begin(make_header())
    names = {path.name for path in ledger.path.parent.iterdir()}
    assert names == {"ledger.bin", "ledger.dropped.bin", "ledger.dropped-2.bin", "ledger.dropped-3.bin"}


def test_a_damaged_header_is_refused_and_left_as_it_is(ledger: Ledger) -> None:
    data = bytearray(ledger.path.read_bytes())
    data[len(PREAMBLE) + 20] ^= 1
    ledger.path.write_bytes(data)
    damaged = Ledger(ledger.path)
    assert damaged.header is None and damaged.fault
    with pytest.raises(MalformedError, match="the header is damaged"):
        damaged.begin(make_header())
    assert ledger.path.read_bytes() == data


@pytest.mark.parametrize(
    ("data", "words"), [(b"not a ledger", "no ledger"), (PREAMBLE[:-2] + b"\x09\x00", "a ledger of version 9")]
)
def test_what_is_no_ledger_of_this_version_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "ledger.bin").write_bytes(data)
    with pytest.raises(MalformedError, match=words):
        Ledger(tmp_path / "ledger.bin")


@pytest.mark.parametrize(
    "records",
    [
        [scalar_round(1)],
        [scalar_round(0), scalar_round(0)],
        [EvaluationRecord(1, {})],
        [scalar_round(0), StopRecord(2, 1)],
        [make_header()],
    ],
)
def test_a_record_out_of_its_place_is_a_fault(tmp_path: Path, records: list[Record]) -> None:
    ledger = make_ledger(tmp_path / "ledger.bin", records)
    again = Ledger(ledger.path)
    assert again.fault and len(packed(again)) == len(records) - 1
    assert isinstance(again.header, Header)


def test_a_record_that_was_taken_from_another_ledger_does_not_follow(tmp_path: Path) -> None:
    one = make_ledger(tmp_path / "one.bin", [scalar_round(0), scalar_round(1)])
    other = Ledger(tmp_path / "other.bin")
    other.begin(make_header(size=4))
    other.append(scalar_round(0))
    frame = len(sealed(scalar_round(1), bytes(16))[0])
    other.path.write_bytes(other.path.read_bytes() + one.path.read_bytes()[-frame:])
    assert "does not follow" in Ledger(other.path).fault


def test_a_write_that_fails_leaves_the_file_as_it_was(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before, fsync = ledger.path.read_bytes(), os.fsync

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left on device; what was recorded before is there for --resume"):
        ledger.append(scalar_round(2))
    assert ledger.path.read_bytes() == before
    monkeypatch.setattr(os, "fsync", fsync)
    ledger.append(scalar_round(2))
    assert len(Ledger(ledger.path).rounds()) == 3


def test_going_back_keeps_what_belongs_to_the_round(tmp_path: Path) -> None:
    evaluated = [EvaluationRecord(done, {}) for done in range(2)]
    records: list[Record] = [evaluated[0], weight_round(0), evaluated[1], weight_round(1), StopRecord(2, 1)]
    ledger = make_ledger(tmp_path / "ledger.bin", records)
    ledger.roll_back(1, "for a test")
    assert packed(ledger) == packed(Ledger(ledger.path)) == [pack(record) for record in records[:3]]
    ledger.append(weight_round(1))
    assert Ledger(ledger.path).fault == ""
