"""The SDK's `message_serialize` beside our codec: they agree except for differences, each of which has a test.

Whether a difference is one that the protocol names is said in its test.
"""

import io
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import HeartbeatRequest, HeartbeatResponse, InviteRequest, InviteResponse, Message
from agentcp_fsm.wire.varint import encode_varint
from tests.sdk.sdk import sdk_module
from tests.wire.strategies import (
    NATIVE,
    NATIVE_VARINT,
    heartbeat_requests,
    heartbeat_responses,
    invite_requests,
    invite_responses,
    messages,
    unhurried,
    varint_heartbeat_responses,
)

sdk = sdk_module("agentcp.msg.message_serialize")
VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors.json").read_text(encoding="utf-8"))
payload_sizes = st.integers(0, 2**16 - 1)

HEADER = {"sequence": "MessageSeq", "mask": "MessageMask", "payload_size": "PayloadSize"}
INVITATION = {
    "inviter_agent_id": "InviterAgentId",
    "invite_code": "InviteCode",
    "invite_code_expire": "InviteCodeExpire",
    "session_id": "SessionId",
    "message_server": "MessageServer",
}
BODIES: dict[type[Message], tuple[str, int, dict[str, str]]] = {
    HeartbeatRequest: ("HeartbeatMessageReq", 513, {"agent_id": "AgentId", "sign_cookie": "SignCookie"}),
    HeartbeatResponse: ("HeartbeatMessageResp", 258, {"next_beat": "NextBeat"}),
    InviteRequest: ("InviteMessageReq", 259, INVITATION),
    InviteResponse: (
        "InviteMessageResp",
        516,
        {
            "agent_id": "AgentId",
            "inviter_agent_id": "InviterAgentId",
            "session_id": "SessionId",
            "sign_cookie": "SignCookie",
        },
    ),
}
"""Our messages: the SDK's class, its MessageType, and the SDK's names of our fields."""


def read_by_sdk(kind: type[Message], data: bytes) -> tuple[Message, int]:
    """The message as the SDK reads it, and the MessageType that it saw."""
    name, _, fields = BODIES[kind]
    theirs, _ = getattr(sdk, name).deserialize(data, 0)
    values: dict[str, Any] = {ours: getattr(theirs, their) for ours, their in fields.items()}
    if kind is InviteRequest:
        values = {"invitation": Invitation(**values)}
    values |= {ours: getattr(theirs.header, their) for ours, their in HEADER.items()}
    return kind(**values), theirs.header.MessageType


def written_by_sdk(message: Message) -> bytes:
    name, message_type, fields = BODIES[type(message)]
    theirs = getattr(sdk, name)()
    theirs.header.MessageType = message_type
    for ours, their in HEADER.items():
        setattr(theirs.header, their, getattr(message, ours))
    for ours, their in fields.items():
        setattr(theirs, their, getattr(message.invitation if isinstance(message, InviteRequest) else message, ours))
    buffer = io.BytesIO()
    theirs.serialize(buffer)
    return buffer.getvalue()


# Agreement ------------------------------------------------------------------------------------------------------------


@unhurried
@given(message=messages)
def test_what_we_write_the_sdk_reads(message: Message) -> None:
    data = NATIVE.encode(message)
    read, message_type = read_by_sdk(type(message), data)
    assert read == message
    assert message_type == BODIES[type(message)][1]
    assert read.payload_size == NATIVE.decode(data).payload_size


@unhurried
@given(message=st.one_of(heartbeat_requests, heartbeat_responses, invite_responses), payload_size=payload_sizes)
def test_what_the_sdk_writes_we_read_and_would_write_byte_for_byte(message: Message, payload_size: int) -> None:
    message = replace(message, payload_size=payload_size)
    data = written_by_sdk(message)
    read = NATIVE.decode(data)
    assert read == message
    assert read.payload_size == payload_size
    assert NATIVE.encode(message) == data


@pytest.mark.parametrize(
    "vector", [pytest.param(vector, id=f"{vector['kind']}-{i}") for i, vector in enumerate(VECTORS["valid"])]
)
def test_the_golden_datagrams_are_read_alike(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    ours = NATIVE.decode(data)
    theirs, _ = read_by_sdk(type(ours), data)
    small = isinstance(ours, HeartbeatResponse) and ours.next_beat < 0x80
    assert (theirs == ours) == (small or vector.get("encoding") != "varint"), "see the tests of varints"


# Differences that the protocol names ----------------------------------------------------------------------------------


@unhurried
@given(message=varint_heartbeat_responses)
def test_next_beat_as_a_varint_is_another_number_to_the_sdk(message: HeartbeatResponse) -> None:
    """Protocol, "Datagrams": the Node SDK says that servers write a varint; the Python SDK reads 8 bytes, or fewer."""
    data = NATIVE_VARINT.encode(message)
    read, _ = read_by_sdk(HeartbeatResponse, data)
    assert isinstance(read, HeartbeatResponse)
    written = encode_varint("next_beat", message.next_beat)
    assert read.next_beat == int.from_bytes(written, "big")
    assert (read.next_beat == message.next_beat) == (message.next_beat < 0x80)
    assert NATIVE.decode(data) == message


def test_a_401_as_a_varint_is_none_to_the_sdk() -> None:
    """Protocol, "Datagrams": so a server that writes varints never gets a Python client to sign in again."""
    data = NATIVE_VARINT.encode(HeartbeatResponse(1, 401))
    assert read_by_sdk(HeartbeatResponse, data)[0] == HeartbeatResponse(1, 37123)
    assert NATIVE.decode(data) == HeartbeatResponse(1, 401)


# PayloadSize, the empty SessionId, and the bounds of NextBeat are the client's doing: see test_sdk_client.py.


# Differences that the protocol does not name --------------------------------------------------------------------------


@unhurried
@given(message=invite_requests)
def test_the_sdk_writes_the_expiry_of_an_invitation_twice(message: InviteRequest) -> None:
    """Not named by the protocol; only servers write invitations, so no client meets it.

    Before the expiry as 8 bytes, `InviteMessageReq.serialize` writes it once more: as 8 bytes, or, negative, the varint
    of its absolute value.  Without that, the bytes are ours; with it, neither side reads what was meant.
    """
    expire = message.invitation.invite_code_expire
    message = replace(message, payload_size=0)
    data = NATIVE.encode(message)
    twice = encode_varint("expire", -expire) if expire < 0 else struct.pack(">Q", expire)
    before = sum(
        len(encode_varint("length", len(text.encode()))) + len(text.encode())
        for text in (message.invitation.inviter_agent_id, message.invitation.invite_code)
    )
    start = len(encode_varint("mask", message.mask) + encode_varint("sequence", message.sequence)) + 4 + before
    assert written_by_sdk(message) == data[:start] + twice + data[start:]


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["why"]) for vector in VECTORS["invalid"]])
def test_what_must_be_refused_the_sdk_takes_or_leaves(vector: dict[str, Any]) -> None:
    """The protocol says what a client must refuse, not what the SDK does: it slices beyond the end in silence."""
    data = bytes.fromhex(vector["hex"])
    with pytest.raises(WireError):
        NATIVE.decode(data)
    assert reading_of_the_sdk(data) == SDK_ON_INVALID[vector["why"]]


SDK_ON_INVALID = {
    "empty": "refused",
    "header cut in the varint": "refused",
    "header without type": "ignored",
    "header only, response": "read",
    "varint of eleven bytes": "refused",  # for the UTF-8 that it then finds, not for the varint
    "varint over 64 bits": "ignored",
    "length beyond the datagram": "ignored",
    "string not UTF-8": "ignored",
    "cookie cut short": "ignored",
    "unknown type": "ignored",
    "response body of five bytes that is no complete varint": "read",
    "response body of three bytes, a varint and something after it": "read",
}
"""What the SDK does with each datagram that must be refused; it ignores, by their type, those for servers only."""


def reading_of_the_sdk(data: bytes) -> str:
    """What the SDK's client does with a datagram: "refused" is an exception in its loop, and a pause of 1.5 s."""
    try:
        header, _ = sdk.UdpMessageHeader.deserialize(data, 0)
        name = {258: "HeartbeatMessageResp", 259: "InviteMessageReq"}.get(header.MessageType)
        if name is None:
            return "ignored"
        getattr(sdk, name).deserialize(data, 0)
    except (ValueError, OverflowError):
        return "refused"
    return "read"


@unhurried
@given(message=invite_requests, server=st.text("abc", min_size=1, max_size=40), data=st.data())
def test_an_invitation_cut_short_leads_the_sdk_to_another_server(
    message: InviteRequest, server: str, data: st.DataObject
) -> None:
    """Not named by the protocol: the last text, or number, that ends early is taken for a shorter one."""
    message = replace(message, invitation=replace(message.invitation, message_server=server))
    cut = data.draw(st.integers(1, len(server)))
    datagram = NATIVE.encode(message)[:-cut]
    shorter = replace(message, invitation=replace(message.invitation, message_server=server[:-cut]))
    assert read_by_sdk(InviteRequest, datagram)[0] == shorter
    with pytest.raises(WireError):
        NATIVE.decode(datagram)


def test_a_heartbeat_response_without_a_body_is_a_next_beat_of_0_to_the_sdk() -> None:
    """Not named by the protocol."""
    data = NATIVE.encode(HeartbeatResponse(1, 5000))[:-8]
    assert read_by_sdk(HeartbeatResponse, data)[0] == HeartbeatResponse(1, 0)
    with pytest.raises(WireError):
        NATIVE.decode(data)


def test_varints_have_no_end_to_the_sdk() -> None:
    """The protocol bounds them, to 10 bytes and 64 bits; the SDK reads and writes numbers of any size."""
    long = b"\x80" * 20 + b"\x01"
    assert sdk.varint_to_uint64(long) == (2**140, 21)
    assert sdk.uint64_to_varint(2**140) == long
    response = b"\x00" + long + NATIVE.encode(HeartbeatResponse(1, 5000))[2:]
    assert read_by_sdk(HeartbeatResponse, response)[0] == HeartbeatResponse(2**140, 5000)
    with pytest.raises(WireError, match="varint"):
        NATIVE.decode(response)


def test_a_cookie_that_came_as_text_cannot_be_sent_by_the_sdk() -> None:
    """Protocol, "Sign-in": `sign_cookie` may be decimal digits; the SDK keeps it as it came, and cannot write it."""
    request = sdk.HeartbeatMessageReq()
    request.AgentId, request.SignCookie = "alice.agentid.pub", "1234567890123456"
    with pytest.raises(AttributeError):
        request.serialize(io.BytesIO())
