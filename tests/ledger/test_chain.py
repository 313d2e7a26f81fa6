"""Of a damaged ledger the whole records before the damage are kept, and nothing else is taken for one."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedmezo.ledger.chain import PREAMBLE, Found, walk
from fedmezo.ledger.records import EvaluationRecord, HashRecord, Record, StopRecord
from tests.example_counts import examples
from tests.ledger.generated import SLOW, exactly, flipped, ledger_bytes, mutated, nothing_but_malformed, runs
from tests.ledger.made import RECORDS, make_header, scalar_round


@settings(SLOW, max_examples=examples(100))
@given(runs())
def test_a_ledger_is_what_was_recorded(run: list[Record]) -> None:
    data = ledger_bytes(run)
    found = walk(data)
    assert (found.fault, found.size, found.end) == ("", len(data), len(data))
    assert [exactly(link.record) for link in found.links] == [exactly(record) for record in run]


@settings(SLOW, max_examples=examples(500))
@given(st.binary(max_size=200).map(lambda rest: PREAMBLE + rest) | st.binary(max_size=50))
@example(PREAMBLE)
@example(PREAMBLE + b"\xff" * 25)
def test_arbitrary_bytes_are_no_ledger(data: bytes) -> None:
    found = nothing_but_malformed(lambda: walk(data))
    if isinstance(found, Found):
        assert found.links == () and (found.fault == "") is (data in (b"", PREAMBLE))


@settings(SLOW, max_examples=examples(200))
@given(st.data())
def test_of_a_changed_ledger_nothing_counts_that_was_not_recorded(data: st.DataObject) -> None:
    valid = ledger_bytes(data.draw(runs()))
    assert_only_what_was_recorded(valid, data.draw(mutated(valid)))


def assert_only_what_was_recorded(valid: bytes, changed: bytes) -> Found | None:
    """Make sure that the records of changed bytes are the first ones of the valid ones, with a fault after them."""
    found = nothing_but_malformed(lambda: walk(changed))
    if not isinstance(found, Found):
        return None
    assert valid[: found.end] == changed[: found.end]
    whole = walk(valid)
    ends = [link.end for link in whole.links]
    assert [link.end for link in found.links] == ends[: len(found.links)]
    assert [link.chain for link in found.links] == [link.chain for link in whole.links[: len(found.links)]]
    assert bool(found.fault) is (len(changed) != found.end and changed != PREAMBLE)
    return found


SMALL = ledger_bytes([make_header(), *RECORDS])


def test_every_single_flipped_bit_of_a_ledger_is_found() -> None:
    whole = walk(SMALL)
    assert whole.fault == "" and len(whole.links) == 1 + len(RECORDS)
    for bit in range(8 * len(SMALL)):
        found = assert_only_what_was_recorded(SMALL, flipped(SMALL, bit))
        before = sum(link.end <= bit // 8 for link in whole.links)
        if bit // 8 < len(PREAMBLE):
            assert found is None
        else:
            assert found is not None and found.fault and len(found.links) == before


def test_every_truncation_of_a_ledger_keeps_the_whole_records_before_it() -> None:
    whole = walk(SMALL)
    for size in range(len(SMALL)):
        found = assert_only_what_was_recorded(SMALL, SMALL[:size])
        assert found is not None
        assert len(found.links) == sum(link.end <= size for link in whole.links) < len(whole.links)
        assert bool(found.fault) is (size not in (0, len(PREAMBLE), *(link.end for link in whole.links)))


def test_frames_left_out_twice_or_in_another_order_are_found() -> None:
    ends = [len(PREAMBLE), *(link.end for link in walk(SMALL).links)]
    frames = [SMALL[start:stop] for start, stop in pairwise(ends)]
    for place in range(len(frames)):
        orders = [frames[:place] + frames[place + 1 :], frames[:place] + frames[place : place + 1] + frames[place:]]
        orders += [[*rest[:other], frames[place], *rest[other:]] for rest in orders[:1] for other in range(len(frames))]
        for order in orders:
            changed = PREAMBLE + b"".join(order)
            found = assert_only_what_was_recorded(SMALL, changed)
            assert found is not None and (found.fault or len(found.links) < len(frames) or changed == SMALL)


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ([StopRecord(0, 1)], "the first record is no header"),
        ([make_header(), make_header()], "a second header"),
        ([make_header(), scalar_round(1)], "a record of 2 rounds where 1 are expected"),
        ([make_header(), scalar_round(0), scalar_round(0)], "a record of 1 rounds where 2 are expected"),
        ([make_header(), HashRecord(1, bytes(16))], "a record of 1 rounds where 0 are expected"),
        ([make_header(), scalar_round(0), EvaluationRecord(0, {})], "a record of 0 rounds where 1 are expected"),
    ],
)
def test_a_record_out_of_its_place_is_a_fault_though_its_seal_is_right(order: list[Record], fault: str) -> None:
    found = walk(ledger_bytes(order))
    assert found.fault == fault and len(found.links) == len(order) - 1


NAMES = st.binary(min_size=8, max_size=8)
