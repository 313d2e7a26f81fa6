import json
import math
import struct

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.ledger.records import ClientRecord, EvaluationRecord, RoundRecord

FINITE = st.floats(allow_nan=False, allow_infinity=False)
GRADIENTS = st.lists(st.lists(FINITE, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)
CLIENTS = st.builds(
    ClientRecord,
    client=st.integers(0, 300),
    learning_rate=FINITE,
    examples=st.integers(0, 10**6),
    weight=FINITE,
    train_loss=FINITE | st.just(math.nan),
    nonfinite=st.integers(0, 9),
    gradients=st.none() | GRADIENTS,
    update_distance=st.none() | FINITE,
)
ROUNDS = st.builds(RoundRecord, st.integers(0, 10**6), st.lists(CLIENTS, max_size=3).map(tuple))
EVALUATIONS = st.builds(
    EvaluationRecord,
    st.integers(0, 10**6),
    st.dictionaries(st.sampled_from(["val", "test"]), FINITE | st.just(math.nan), max_size=2),
)


def exactly(value: object) -> object:
    """Return a value in which every float is its bytes, so that -0.0 differs from 0.0 and NaN equals NaN."""
    match value:
        case float():
            return struct.pack("<d", value)
        case tuple() | list():
            return [exactly(item) for item in value]
        case dict():
            return {key: exactly(item) for key, item in value.items()}
        case ClientRecord() | RoundRecord() | EvaluationRecord():
            return exactly(vars(value))
    return value


@settings(max_examples=50)
@given(ROUNDS)
def test_rounds_keep_every_bit(record: RoundRecord) -> None:
    line = json.dumps(record.to_json(), allow_nan=False)
    assert exactly(RoundRecord.from_json(json.loads(line))) == exactly(record)


@settings(max_examples=50)
@given(EVALUATIONS)
def test_evaluations_keep_every_bit(record: EvaluationRecord) -> None:
    line = json.dumps(record.to_json(), allow_nan=False)
    assert exactly(EvaluationRecord.from_json(json.loads(line))) == exactly(record)


def test_a_loss_that_is_not_a_number_is_null() -> None:
    client = ClientRecord(0, 0.1, 2, 2.0, math.nan)
    assert RoundRecord(0, (client,)).to_json()["clients"][0]["train_loss"] is None
    assert EvaluationRecord(0, {"val": math.inf}).to_json()["losses"] == {"val": None}


def test_neither_timings_nor_tensors_are_recorded() -> None:
    slow = RoundRecord(3, (ClientRecord(1, 0.1, 2, 2.0, 1.5, seconds=9.0),), torch.ones(2))
    fast = RoundRecord(3, (ClientRecord(1, 0.1, 2, 2.0, 1.5, seconds=1.0),))
    assert slow.to_json() == fast.to_json()
    assert RoundRecord.from_json(slow.to_json()).parameters is None
