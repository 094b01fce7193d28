"""Peculiarities of AgentCP's own layout."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import WireError
from agentcp_fsm.wire import UNAUTHORIZED, AgentCPCodec, HeartbeatRequest, HeartbeatResponse, Message
from agentcp_fsm.wire.varint import encode_varint, read_varint
from tests.wire.strategies import (
    NATIVE,
    NATIVE_VARINT,
    VARINT_NEXT_BEAT_MAX,
    heartbeat_requests,
    invite_requests,
    invite_responses,
    messages,
    texts,
    unhurried,
    unsigned,
    varint_heartbeat_responses,
)

HEADER = bytes.fromhex("000101020000")
"""Of a heartbeat response: mask 0, sequence 1, type 258, size 0."""


@unhurried
@given(value=unsigned, around=st.tuples(st.binary(max_size=5), st.binary(max_size=5)))
def test_a_varint_is_read_where_it_stands(value: int, around: tuple[bytes, bytes]) -> None:
    before, after = around
    encoded = encode_varint("value", value)
    assert len(encoded) == max(1, -(-value.bit_length() // 7))
    assert read_varint(before + encoded + after, len(before)) == (value, len(before + encoded))


@unhurried
@given(value=unsigned, zeros=st.integers(1, 10))
def test_a_varint_may_be_longer_than_needed_up_to_ten_bytes(value: int, zeros: int) -> None:
    shortest = encode_varint("value", value)
    padded = shortest[:-1] + bytes([shortest[-1] | 0x80]) + b"\x80" * (zeros - 1) + b"\x00"
    if len(padded) <= 10:
        assert read_varint(padded, 0) == (value, len(padded))
    else:
        with pytest.raises(WireError, match="10 bytes"):
            read_varint(padded, 0)


@pytest.mark.parametrize("last", range(2, 0x80))
def test_a_varint_over_64_bits_is_refused(last: int) -> None:
    with pytest.raises(WireError, match="64 bits"):
        read_varint(b"\xff" * 9 + bytes([last]), 0)


@unhurried
@given(message=messages)
def test_sends_the_true_payload_size(message: Message) -> None:
    datagram = NATIVE.encode(message)
    start = len(encode_varint("mask", message.mask) + encode_varint("sequence", message.sequence))
    _, payload_size = struct.unpack_from(">HH", datagram, start)
    assert payload_size == len(datagram) - start - 4 == NATIVE.decode(datagram).payload_size


@unhurried
@given(sequence=unsigned, agent_id=texts, sign_cookie=unsigned)
def test_a_prepared_heartbeat_has_the_same_bytes(sequence: int, agent_id: str, sign_cookie: int) -> None:
    message = HeartbeatRequest(sequence, agent_id, sign_cookie)
    assert NATIVE.heartbeat_encoder(agent_id, sign_cookie)(sequence) == NATIVE.encode(message)


@pytest.mark.parametrize("payload_size", [-1, 2**16])
def test_refuses_a_payload_size(payload_size: int) -> None:
    with pytest.raises(WireError, match=f"payload_size is {payload_size};"):
        NATIVE.encode(HeartbeatResponse(1, 5000, payload_size=payload_size))


@unhurried
@given(message=st.one_of(heartbeat_requests, invite_requests, invite_responses))
def test_a_datagram_cut_short_is_refused(message: Message) -> None:
    datagram = NATIVE.encode(message)
    for size in range(len(datagram)):
        with pytest.raises(WireError):
            NATIVE.decode(datagram[:size])


@unhurried
@given(message=messages, later_fields=st.binary(max_size=40))
def test_bytes_after_the_last_field_are_ignored(message: Message, later_fields: bytes) -> None:
    assert NATIVE.decode(NATIVE.encode(message) + later_fields) == message


@unhurried
@given(message=varint_heartbeat_responses)
def test_next_beat_is_read_in_both_encodings(message: HeartbeatResponse) -> None:
    as_u64, as_varint = NATIVE.encode(message), NATIVE_VARINT.encode(message)
    assert len(as_varint) < len(as_u64)
    for codec in (NATIVE, NATIVE_VARINT):
        assert codec.decode(as_u64) == codec.decode(as_varint) == message


@pytest.mark.parametrize("codec", [NATIVE, NATIVE_VARINT])
def test_unauthorized_is_read_in_both_encodings(codec: AgentCPCodec) -> None:
    assert NATIVE.decode_heartbeat_response(codec.encode(HeartbeatResponse(7, UNAUTHORIZED))) == (7, 401)


@unhurried
@given(next_beat=st.integers(VARINT_NEXT_BEAT_MAX + 1, 2**64 - 1))
def test_a_varint_that_would_be_read_as_u64_is_not_written(next_beat: int) -> None:
    with pytest.raises(WireError, match=f"next_beat is {next_beat};"):
        NATIVE_VARINT.encode(HeartbeatResponse(1, next_beat))


@unhurried
@given(body=st.binary(max_size=12))
def test_next_beat_is_told_by_the_length_of_the_body(body: bytes) -> None:
    ends = [index for index, byte in enumerate(body) if byte < 0x80]
    if len(body) >= 8:
        expected = int.from_bytes(body[:8], "big")
    elif ends and ends[0] == len(body) - 1:
        expected = sum((byte & 0x7F) << 7 * index for index, byte in enumerate(body))
    else:
        for read in (NATIVE.decode, NATIVE.decode_heartbeat_response):
            with pytest.raises(WireError):
                read(HEADER + body)
        return
    assert NATIVE.decode(HEADER + body) == HeartbeatResponse(1, expected)
    assert NATIVE.decode_heartbeat_response(HEADER + body) == (1, expected)


@unhurried
@given(message=messages)
def test_a_received_payload_size_is_kept_but_not_compared(message: Message) -> None:
    received = NATIVE.decode(NATIVE.encode(replace(message, payload_size=100)))
    assert received.payload_size == 100
    assert received == message
    assert hash(received) == hash(message)


def test_the_heartbeat_request_of_the_sdk_but_for_its_payload_size() -> None:
    sent = NATIVE.encode(HeartbeatRequest(1, "alice.agentid.pub", 1234567890123456))
    assert sent.hex() == "00010201001a11616c6963652e6167656e7469642e707562000462d53c8abac0"
