"""What is damaged on its way is no message, or another one: nothing else happens."""

import struct
from dataclasses import replace

import numpy as np
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedmezo.federation.messages import Message, Task, pack_answer, pack_order, unpack_answer, unpack_order
from fedmezo.training import LocalUpdate
from tests.example_counts import examples
from tests.ledger.generated import (
    MOST,
    NAN,
    NOT_NEGATIVE,
    SINGLE,
    SLOW,
    U16,
    U32,
    gradients_and_failed,
    lists_of,
    mutated,
    nothing_but_malformed,
    rounds,
)

NAMES = st.binary(min_size=8, max_size=8)
TASKS = st.builds(Task, U32, U32, NOT_NEGATIVE, U32)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Return a client's message in one piece."""
    loss, examples, nonfinite = draw(SINGLE | NAN), draw(U32), draw(U16)
    if draw(st.booleans()):
        dtype = draw(st.sampled_from((torch.float32, torch.float64)))
        update = LocalUpdate(loss, examples, nonfinite, point=torch.tensor(draw(lists_of(SINGLE, 3)), dtype=dtype))
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
        return bytes(pack_order(draw(NAMES), task, first, (), torch.tensor(draw(lists_of(SINGLE, 3)))))
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
