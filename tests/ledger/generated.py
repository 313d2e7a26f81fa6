"""Random records, ledgers and damages, for tests of what is written of them."""

import math
import struct
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.chain import PREAMBLE, first_chain, sealed
from fedmezo.ledger.codec import HASH_SIZE, HASHES
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
    gradients = np.array(draw(lists_of(SINGLE, math.prod(shape))), dtype=np.float32).reshape(shape)
    failed = np.array(draw(lists_of(st.booleans(), math.prod(shape))), dtype=bool).reshape(shape)
    gradients[failed] = np.copysign(np.float32(0.0), gradients[failed])
    return gradients, failed if failed.any() else None


def lists_of(values: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
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


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
