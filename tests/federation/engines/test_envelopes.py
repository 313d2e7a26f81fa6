"""Requests and answers as Flower carries them."""

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.federation.engines.flower import content_of, envelope_content
from fedmezo.federation.engines.transport import (
    Answered,
    Failed,
    HandshakeRequest,
    HandshakeResponse,
    Lost,
    Request,
    Response,
)
from fedmezo.federation.messages import Message
from fedmezo.federation.node import Stale

NUMBERS = st.integers(-1, 2**63 - 1)
MESSAGES = st.builds(
    lambda head, parameters: Message(head, None if parameters is None else memoryview(parameters)),
    st.binary(max_size=40),
    st.none() | st.binary(min_size=1, max_size=40),
)
THINGS = st.one_of(
    st.builds(HandshakeRequest, st.text(max_size=9)),
    MESSAGES,
    st.builds(HandshakeResponse, NUMBERS, st.text(max_size=9)),
    st.builds(Answered, MESSAGES, st.floats(0, 1e9)),
    st.builds(Stale, NUMBERS),
    st.builds(Failed, st.text(max_size=9), st.booleans()),
)


def plain(thing: Request | Response) -> object:
    match thing:
        case Message():
            return ("message", thing.head, None if thing.parameters is None else bytes(thing.parameters))
        case Answered():
            return ("answered", plain(thing.message), thing.seconds)
    return thing


@given(THINGS)
def test_what_is_sent_arrives(thing: Request | Response) -> None:
    assert plain(content_of(envelope_content(thing))) == plain(thing)


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({}),
        RecordDict({"fields": ConfigRecord({})}),
        RecordDict({"fields": ConfigRecord({"kind": "Lost", "text": "x"})}),
        RecordDict({"fields": ConfigRecord({"kind": "Stale"})}),
        RecordDict({"fields": ConfigRecord({"kind": "Stale", "rounds": 1, "more": 2})}),
        RecordDict({"fields": ConfigRecord({"kind": "Answered", "head": b""})}),
        RecordDict({"fields": ConfigRecord({"kind": "Message", "head": 7.5})}),
        RecordDict(
            {"fields": ConfigRecord({"kind": "Message", "head": b"x"}), "arrays": ConfigRecord({"parameters": 1})}
        ),
        RecordDict({"fields": ArrayRecord({"kind": Array(dtype="uint8", shape=(1,), stype="raw", data=b"x")})}),
    ],
)
def test_what_is_no_message_is_lost(content: RecordDict) -> None:
    assert isinstance(content_of(content), Lost)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "Stale", "rounds": "many"},
        {"kind": "HandshakeResponse", "client": "all", "handshake": ""},
        {"kind": "Failed", "text": 4},
        {"kind": "Answered", "head": 5, "seconds": 1.0},
    ],
)
def test_fields_of_another_type_are_lost(fields: dict[str, str | int | float]) -> None:
    assert isinstance(content_of(RecordDict({"fields": ConfigRecord(fields)})), Lost)
