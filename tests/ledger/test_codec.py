"""Whatever was recorded comes back bit for bit, and nothing that is damaged is taken for a record."""

import math
import struct
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import MalformedError
from fedmezo.federation.messages import Message, Task, pack_answer, pack_order, unpack_answer, unpack_order
from fedmezo.ledger.chain import PREAMBLE, Found, first_chain, sealed, walk
from fedmezo.ledger.codec import HASH_SIZE, HASHES, pack, unpack
from fedmezo.ledger.records import (
    REASONS,
    ClientRecord,
    EvaluationRecord,
    HashRecord,
    Header,
    Measured,
    Record,
    Rejection,
    RoundRecord,
    StopRecord,
)
from fedmezo.training import LocalUpdate
from tests.example_counts import examples
from tests.ledger.made import RECORDS, make_header, scalar_round, weight_round

# a busy machine is no fault of what is tested
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
ROUNDS_DONE = st.integers(0, 2**32 - 2)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NOT_NEGATIVE = st.floats(min_value=0.0, allow_infinity=False)
NAN = st.just(math.nan)
DIGEST = st.binary(min_size=HASH_SIZE, max_size=HASH_SIZE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MOST = b"\xff\xff\xff\xff\x0f"  # 2**32 - 1 in LEB128
OBJECT = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


@st.composite
def gradients_and_failed(draw: st.DrawFn, queries: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return gradients [H, Q], and those of them that failed, which are zeros of either sign."""
    shape = draw(st.integers(0, 5)), queries
    gradients = np.array(draw(_lists(SINGLE, math.prod(shape))), dtype=np.float32).reshape(shape)
    failed = np.array(draw(_lists(st.booleans(), math.prod(shape))), dtype=bool).reshape(shape)
    gradients[failed] = np.copysign(np.float32(0.0), gradients[failed])
    return gradients, failed if failed.any() else None


def _lists(values: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=size, max_size=size)


@st.composite
def clients(draw: st.DrawFn, number: int, queries: int, weights: bool) -> ClientRecord:
    gradients, failed = (None, None) if weights else draw(gradients_and_failed(queries))
    weight = draw(U32)
    return ClientRecord(
        client=number,
        learning_rate=draw(NOT_NEGATIVE | st.just(-0.0)),
        examples=draw(st.just(weight) | U32),
        weight=weight,
        train_loss=draw(SINGLE | NAN | st.just(math.inf)),
        nonfinite=draw(st.just(0) | U32),
        gradients=gradients,
        failed=failed,
        update_distance=draw(st.none() | NOT_NEGATIVE | NAN | st.just(math.inf)),
    )


@st.composite
def rounds(draw: st.DrawFn, index: int | None = None, weights: bool | None = None) -> RoundRecord:
    weights = draw(st.booleans()) if weights is None else weights
    queries = draw(st.integers(1, 3))
    numbers = sorted(draw(st.sets(U32, max_size=4)))
    rejections = st.builds(Rejection, U32, st.sampled_from(REASONS))
    return RoundRecord(
        draw(ROUNDS_DONE) if index is None else index,
        tuple(draw(clients(number, queries, weights)) for number in numbers),
        tuple(draw(st.lists(rejections, max_size=3))),
        draw(DIGEST) if weights else None,
    )


@st.composite
def evaluations(draw: st.DrawFn, rounds_done: st.SearchStrategy[int] = ROUNDS_DONE) -> EvaluationRecord:
    number = FINITE | NAN | st.just(-math.inf)
    name = st.text(st.characters(codec="utf-8"), max_size=8)
    group = st.dictionaries(name, number, max_size=3)

    def measured(higher: st.SearchStrategy[bool]) -> st.SearchStrategy[Measured]:
        return st.builds(Measured, number, higher, group, group)

    def bare(higher: st.SearchStrategy[bool]) -> st.SearchStrategy[Measured]:
        return st.builds(Measured, number, higher)

    low, high, any_way = st.just(False), st.just(True), st.booleans()
    old = {"loss": measured(low), "accuracy": bare(high), "exact_match": bare(high)}
    own = old | {"accuracy": measured(high)}
    names = name.filter(lambda each: each not in own)
    further = st.dictionaries(names, measured(any_way) | bare(any_way), min_size=1, max_size=3)
    splits = st.one_of(
        st.fixed_dictionaries({"loss": bare(low)}),  # ledgers of earlier versions knew less
        st.fixed_dictionaries(old),
        st.fixed_dictionaries(own),
        st.builds(lambda known, more: known | more, st.fixed_dictionaries(own), further),
    )
    return EvaluationRecord(draw(rounds_done), draw(st.dictionaries(name, splits, max_size=3)))


def headers() -> st.SearchStrategy[Header]:
    return st.builds(Header, st.fixed_dictionaries(dict.fromkeys(HASHES, DIGEST)), U64, OBJECT)


def records() -> st.SearchStrategy[Record]:
    return st.one_of(
        headers(), rounds(), evaluations(), st.builds(HashRecord, U32, DIGEST), st.builds(StopRecord, U32, U32)
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Record]:
    """Return records in an order that they may have in a ledger."""
    found: list[Record] = [draw(headers())]
    for done in range(draw(st.integers(0, 4))):
        here = st.just(done)
        between = evaluations(here) | st.builds(HashRecord, here, DIGEST) | st.builds(StopRecord, here, U32)
        found += [*draw(st.lists(between, max_size=2)), draw(rounds(done))]
    return found


def ledger_bytes(found: list[Record]) -> bytes:
    data, chain = PREAMBLE, first_chain()
    for record in found:
        frame, chain = sealed(record, chain)
        data += frame
    return data


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Return bytes that one to three changes have made of valid ones."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        change = draw(st.sampled_from(("flip", "overwrite", "cut", "insert", "repeat", "truncate")))
        if change == "flip" and first < len(data):
            data[first] ^= 1 << draw(st.integers(0, 7))
        elif change == "overwrite":
            data[first : first + 4] = draw(st.sampled_from((bytes(4), b"\xff" * 4)) | st.binary(max_size=4))
        elif change == "cut":
            del data[first:last]
        elif change == "insert":
            data[first:first] = draw(st.binary(max_size=8))
        elif change == "repeat":
            data[last:last] = data[first:last]
        elif change == "truncate":
            del data[last:]
    return bytes(data)


def exactly(value: object) -> object:
    """Return a value in which every float is its bytes, so that -0.0 differs from 0.0 and NaN equals NaN."""
    match value:
        case float():
            return struct.pack("<d", value)
        case np.ndarray():
            return value.dtype, value.shape, value.tobytes()
        case tuple() | list():
            return [exactly(item) for item in value]
        case dict():
            return {key: exactly(item) for key, item in value.items()}
        case _ if is_dataclass(value):
            return type(value), exactly(vars(value))
    return value


def nothing_but_malformed(call: Callable[[], object]) -> object:
    """Return what a call returns, or None where it finds its bytes malformed; anything else is raised."""
    try:
        return call()
    except MalformedError:
        return None


@settings(SLOW, max_examples=examples(400))
@given(records())
def test_every_record_comes_back_bit_for_bit(record: Record) -> None:
    kind, body = pack(record)
    found = unpack(kind, body)
    assert exactly(found) == exactly(record)
    assert pack(found) == (kind, body)


def test_neither_seconds_nor_parameters_are_recorded() -> None:
    client = replace(scalar_round(3).clients[0], seconds=9.0)
    assert pack(RoundRecord(3, (client,))) == pack(scalar_round(3))
    assert pack(weight_round(3)) == pack(replace(weight_round(3), parameters=None))


def test_what_is_not_there_takes_no_room() -> None:
    plain = ClientRecord(0, 0.1, 2, 2, math.nan, gradients=np.zeros((9, 1), dtype=np.float32))
    bare = len(pack(RoundRecord(0, (plain,)))[1])
    failed = np.eye(9, 1, dtype=bool)
    for changes, more in (
        ({"train_loss": 1.0}, 0),
        ({"examples": 300}, 2),
        ({"nonfinite": 1}, 1),
        ({"failed": failed}, 2),
        ({"update_distance": 0.0}, 8),
    ):
        changed = replace(plain, **changes)
        assert len(pack(RoundRecord(0, (changed,)))[1]) == bare + more


@settings(SLOW, max_examples=examples(500))
@given(st.integers(0, 255) | st.integers(1, 5), st.binary(max_size=200))
@example(1, b"")
@example(2, bytes([0, 0, 0, 1, 0, 0]) + MOST + struct.pack("<BdBf", 1, 0.1, 0, 0.0))  # steps without directions
@example(2, bytes([0, 0]) + MOST + MOST + MOST)
@example(2, bytes([0x80, 0, 0, 0, 0, 0]))  # longer than it has to be
@example(2, MOST + b"\x7f")
@example(3, bytes([0]) + MOST)
@example(3, bytes([0, 1]) + MOST + b"val")
@example(3, bytes([0, 2, 0]) + bytes(9) + bytes([0]) + bytes(9))  # a split twice
@example(3, bytes([0, 1, 0]) + bytes(8) + bytes([3]) + bytes(16 + 4) + bytes([0]))  # further metrics that are none
@example(3, bytes([0, 1, 0]) + bytes(8) + bytes([3]) + bytes(16 + 4) + b"\x01\x04loss" + bytes(9))  # a metric twice
@example(3, bytes([0, 1, 0]) + bytes(8) + bytes([3]) + bytes(16 + 4) + b"\x01\x01a\x04" + bytes(8))  # another flag
@example(3, bytes([0, 1, 0]) + b"\x01\x00\x00\x00\x00\x00\xf8\x7f\x00")  # another NaN
@example(1, bytes(104) + b'{"a":' * 50_000)
@example(1, bytes(104) + b'{"a":"\\ud800"}')
def test_arbitrary_bytes_are_malformed_or_the_one_form_of_a_record(kind: int, body: bytes) -> None:
    found = nothing_but_malformed(lambda: unpack(kind, body))
    assert found is None or pack(found) == (kind, body)  # type: ignore[arg-type]


@settings(SLOW, max_examples=examples(500))
@given(st.data())
def test_a_changed_body_is_malformed_or_the_one_form_of_a_record(data: st.DataObject) -> None:
    kind, body = pack(data.draw(records()))
    changed = data.draw(mutated(body))
    found = nothing_but_malformed(lambda: unpack(kind, changed))
    assert found is None or pack(found) == (kind, changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [make_header(), *RECORDS, weight_round(0)], ids=lambda row: type(row).__name__)
def test_every_flipped_bit_of_a_body_is_noticed_or_makes_another_record(record: Record) -> None:
    kind, body = pack(record)
    for bit in range(8 * len(body)):
        changed = flipped(body, bit)
        found = nothing_but_malformed(lambda changed=changed: unpack(kind, changed))  # type: ignore[misc]
        assert found is None or pack(found) == (kind, changed)  # type: ignore[arg-type]


def a_body(rate: float = 0.1, gradient: float = 0.5, failed: int | None = None) -> bytes:
    """Return the body of a round of one client, one step and one query."""
    flags = 0 if failed is None else 8
    rest = b"" if failed is None else bytes([failed])
    head = bytes([0, 0, 1, 1, 0])
    return head + struct.pack("<BBBdfBf", 0, 1, 2, rate, gradient, flags, 0.0) + rest


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (a_body(rate=-0.1), "no learning rate"),
        (a_body(rate=math.inf), "no learning rate"),
        (a_body(rate=math.nan), "no learning rate"),
        (a_body(gradient=math.nan), "not finite"),
        (a_body(gradient=-math.inf), "not finite"),
        (a_body(gradient=0.5, failed=1), "failed steps that are none"),
        (a_body(gradient=0.0, failed=0), "failed steps that are none"),
        (a_body(gradient=0.0, failed=3), "bits that stand for nothing"),
        (a_body() + b"x", "1 bytes more than expected"),
        (a_body()[:-1], "bytes expected"),
    ],
)
def test_a_round_that_cannot_be_is_malformed(body: bytes, reason: str) -> None:
    for possible in (a_body(), a_body(rate=0.0), a_body(gradient=-0.0, failed=1)):
        assert pack(unpack(2, possible)) == (2, possible)
    with pytest.raises(MalformedError, match=reason):
        unpack(2, body)


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


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


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
TASKS = st.builds(Task, U32, U32, NOT_NEGATIVE, U32)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Return a client's message in one piece."""
    loss, examples, nonfinite = draw(SINGLE | NAN), draw(U32), draw(U16)
    if draw(st.booleans()):
        dtype = draw(st.sampled_from((torch.float32, torch.float64)))
        update = LocalUpdate(loss, examples, nonfinite, point=torch.tensor(draw(_lists(SINGLE, 3)), dtype=dtype))
    else:
        gradients, failed = draw(gradients_and_failed(draw(st.integers(1, 3))))
        where = () if failed is None else tuple((int(step), int(query)) for step, query in np.argwhere(failed))
        update = LocalUpdate(loss, examples, nonfinite, gradients=gradients, failed=where)
    return bytes(pack_answer(draw(NAMES), draw(TASKS), update))


@st.composite
def orders(draw: st.DrawFn) -> bytes:
    """Return a message of the server in one piece."""
    first, count = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    task = replace(draw(TASKS), round_index=first + count)
    if draw(st.booleans()):
        return bytes(pack_order(draw(NAMES), task, first, (), torch.tensor(draw(_lists(SINGLE, 3)))))
    missed = [draw(rounds(first + number, weights=False)) for number in range(count)]
    return bytes(pack_order(draw(NAMES), task, first, missed))


@settings(SLOW, max_examples=examples(500))
@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda rest: b"\x01" + rest))
@example(b"\x01\x00" + bytes(16) + struct.pack("<IIHHf", 1, 2**32 - 1, 0, 0, 1.0))
@example(b"\x01\x02" + bytes(16) + struct.pack("<IIHHf", 1, 2**32 - 1, 65535, 0, 1.0))
@example(b"\x01\x00" + bytes(8) + struct.pack("<IIIdI", 2**32 - 1, 0, 0, 0.0, 0))
@example(b"\x01\x00" + bytes(8) + struct.pack("<IIIdI", 1, 0, 0, 0.0, 0) + MOST + MOST)
def test_arbitrary_bytes_are_a_message_or_malformed(data: bytes) -> None:
    nothing_but_malformed(lambda: unpack_answer(Message(data)))
    nothing_but_malformed(lambda: unpack_order(Message(data)))


@settings(SLOW, max_examples=examples(200))
@given(st.data())
def test_a_changed_message_is_a_message_or_malformed(data: st.DataObject) -> None:
    answer, order = data.draw(answers()), data.draw(orders())
    assert unpack_answer(Message(answer)) and unpack_order(Message(order))
    changed = data.draw(mutated(answer)), data.draw(mutated(order))
    nothing_but_malformed(lambda: unpack_answer(Message(changed[0])))
    nothing_but_malformed(lambda: unpack_order(Message(changed[1])))
