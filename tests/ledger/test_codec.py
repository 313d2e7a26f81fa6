"""Whatever was recorded comes back bit for bit, and nothing that is damaged is taken for a record."""

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.codec import pack, unpack
from fedmezo.ledger.records import (
    ClientRecord,
    Record,
    RoundRecord,
)
from tests.example_counts import examples
from tests.ledger.generated import MOST, SLOW, exactly, flipped, mutated, nothing_but_malformed, records
from tests.ledger.made import RECORDS, make_header, scalar_round, weight_round


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
