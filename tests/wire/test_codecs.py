"""Properties of every codec."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import (
    MAX_DATAGRAM,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
)
from tests.wire.strategies import CODECS, NATIVE, PROTOBUF, any_bytes, heartbeat_requests, messages, unhurried, unsigned

pytestmark = pytest.mark.parametrize("codec", [pytest.param(codec, id=name) for name, codec in CODECS.items()])

LONE_SURROGATE = "bob\ud800"
INVITATION = Invitation("bob.agentid.pub", "CODE123", 1893456000, "session-1", "wss://msg.agentid.pub")
REQUEST = HeartbeatRequest(1, "alice.agentid.pub", 42)
RESPONSE = HeartbeatResponse(1, 5000)
INVITE = InviteRequest(9, INVITATION)
ANSWER = InviteResponse(3, "alice.agentid.pub", "bob.agentid.pub", "session-1", 42)


@unhurried
@given(message=messages)
def test_decoding_undoes_encoding(codec: Codec, message: Message) -> None:
    datagram = codec.encode(message)
    assert codec.decode(datagram) == message
    assert codec.decode(memoryview(datagram)) == message


@unhurried
@given(data=any_bytes)
def test_arbitrary_bytes_raise_nothing_but_the_one_error(codec: Codec, data: bytes) -> None:
    message: Message | None = None
    try:
        message = codec.decode(data)
    except WireError:
        event("refused")
    # The hot path reads what `decode` reads, and leaves to it whatever is no heartbeat response.
    try:
        answer = codec.decode_heartbeat_response(memoryview(data))
    except WireError:
        assert message is None
    else:
        if isinstance(message, HeartbeatResponse):
            assert answer == (message.sequence, message.next_beat)
        else:
            assert answer is None


@unhurried
@given(data=any_bytes)
def test_what_is_decoded_can_be_encoded_again(codec: Codec, data: bytes) -> None:
    try:
        message = codec.decode(data)
    except WireError:
        return
    assert codec.decode(codec.encode(replace(message, payload_size=None))) == message


@unhurried
@given(message=heartbeat_requests, sequence=unsigned)
def test_a_prepared_heartbeat_is_the_encoded_one(codec: Codec, message: HeartbeatRequest, sequence: int) -> None:
    prepared = codec.heartbeat_encoder(message.agent_id, message.sign_cookie)
    expected = HeartbeatRequest(sequence, message.agent_id, message.sign_cookie)
    assert codec.decode(prepared(sequence)) == expected


@pytest.mark.parametrize("sequence", [-1, 2**64])
def test_a_prepared_heartbeat_refuses_a_sequence_number(codec: Codec, sequence: int) -> None:
    prepared = codec.heartbeat_encoder("alice.agentid.pub", 42)
    with pytest.raises(WireError, match=f"sequence is {sequence};"):
        prepared(sequence)


def test_preparing_refuses_what_would_not_fit_later(codec: Codec) -> None:
    overhead = len(codec.encode(HeartbeatRequest(1, "x" * 1000, 42))) - 1000
    agent_id = "x" * (MAX_DATAGRAM - overhead)
    assert len(codec.encode(HeartbeatRequest(1, agent_id, 42))) == MAX_DATAGRAM
    with pytest.raises(WireError, match=r"agent_id is 'xxx.*shorten it"):
        codec.heartbeat_encoder(agent_id, 42)
    longest = codec.heartbeat_encoder(agent_id[9:], 42)
    assert len(longest(2**64 - 1)) == MAX_DATAGRAM


def unencodable() -> Iterator[Any]:
    integers: list[tuple[Message, str]] = [
        (REQUEST, "sequence"),
        (REQUEST, "mask"),
        (REQUEST, "sign_cookie"),
        (RESPONSE, "sequence"),
        (RESPONSE, "next_beat"),
        (INVITE, "mask"),
        (INVITE, "invite_code_expire"),
        (ANSWER, "sequence"),
        (ANSWER, "sign_cookie"),
    ]
    texts: list[tuple[Message, str]] = [
        (REQUEST, "agent_id"),
        (INVITE, "inviter_agent_id"),
        (INVITE, "invite_code"),
        (INVITE, "session_id"),
        (INVITE, "message_server"),
        (ANSWER, "agent_id"),
        (ANSWER, "inviter_agent_id"),
        (ANSWER, "session_id"),
    ]
    for message, field in integers:
        below = -(2**63) - 1 if field == "invite_code_expire" else -1
        above = 2**63 if field == "invite_code_expire" else 2**64
        for value in (below, above):
            yield pytest.param(message, field, value, str(value), id=f"{type(message).__name__}-{field}-{value}")
    for message, field in texts:
        name = f"{type(message).__name__}-{field}"
        yield pytest.param(message, field, LONE_SURROGATE, r"'bob\\ud800'", id=f"{name}-surrogate")
        yield pytest.param(message, field, "x" * (MAX_DATAGRAM + 1), "'xxx", id=f"{name}-too-long")
        yield pytest.param(message, field, "智" * (MAX_DATAGRAM // 3), "'智智智", id=f"{name}-too-many-bytes")


@pytest.mark.parametrize(("message", "field", "value", "shown"), list(unencodable()))
def test_refuses_to_encode_naming_field_and_value(
    codec: Codec, message: Message, field: str, value: int | str, shown: str
) -> None:
    codec.encode(message)
    changed: dict[str, Any] = {field: value}
    if isinstance(message, InviteRequest) and hasattr(message.invitation, field):
        changed = {"invitation": replace(message.invitation, **changed)}
    unfit: Message = replace(message, **changed)
    with pytest.raises(WireError, match=rf"^{field} is {shown}"):
        codec.encode(unfit)


def test_the_longest_datagram(codec: Codec) -> None:
    overhead = len(codec.encode(REQUEST)) - len(REQUEST.agent_id)
    for length in range(MAX_DATAGRAM - overhead - 4, MAX_DATAGRAM):
        message = replace(REQUEST, agent_id="x" * length)
        try:
            datagram = codec.encode(message)
        except WireError:
            break
        assert codec.decode(datagram) == message
    assert len(datagram) == MAX_DATAGRAM
    assert len(message.agent_id) < MAX_DATAGRAM


@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1, 2 * MAX_DATAGRAM, 65_507])
def test_refuses_to_decode_more_than_the_longest(codec: Codec, size: int) -> None:
    for read in (codec.decode, codec.decode_heartbeat_response):
        with pytest.raises(WireError, match=f"{size} bytes"):
            read(codec.encode(RESPONSE).ljust(size, b"\x00"))


def test_a_cookie_is_never_shown(codec: Codec) -> None:
    cookie = 1234567890123456789
    for message in (replace(REQUEST, sign_cookie=cookie), replace(ANSWER, sign_cookie=cookie)):
        assert str(cookie) not in repr(codec.decode(codec.encode(message)))


@unhurried
@given(message=messages, payload_size=st.integers(0, 2**16 - 1))
def test_payload_size_is_not_trusted(codec: Codec, message: Message, payload_size: int) -> None:
    assert codec.decode(codec.encode(replace(message, payload_size=payload_size))) == message


@unhurried
@given(message=messages)
def test_the_codecs_agree(codec: Codec, message: Message) -> None:
    for other in (NATIVE, PROTOBUF):
        assert other.decode(other.encode(codec.decode(codec.encode(message)))) == message
