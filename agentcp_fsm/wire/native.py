"""The byte layout that AgentCP servers and SDKs speak (protocol, "Datagrams").

Bytes after the last field of a body are ignored, as the SDKs do: a later protocol may put further fields there.  Only
a NextBeat of fewer than 8 bytes is one varint and nothing else.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire.codec import (
    I64_MAX,
    I64_MIN,
    MAX_DATAGRAM,
    U16_MAX,
    U64_MAX,
    HeartbeatEncoder,
    check_integer,
    check_sent_size,
    encode_text,
    received_too_long,
)
from agentcp_fsm.wire.messages import HeartbeatRequest, HeartbeatResponse, InviteRequest, InviteResponse, Message
from agentcp_fsm.wire.varint import MAX_VARINT, encode_varint, read_varint

_HEARTBEAT_REQUEST = 513
_HEARTBEAT_RESPONSE = 258
_INVITE_REQUEST = 259
_INVITE_RESPONSE = 516

_TYPE_AND_SIZE = struct.Struct(">HH")
_TYPE_SIZE_AND_U64 = struct.Struct(">HHQ")
_U64 = struct.Struct(">Q")
_I64 = struct.Struct(">q")

_SHORTEST_U64_LOOKALIKE = 2 ** (7 * (_U64.size - 1))
"""From here on a varint takes 8 bytes or more, which every reader takes for a u64."""


class NextBeatEncoding(Enum):
    """How a server writes NextBeat; clients read both."""

    U64 = "u64"
    """8 bytes big-endian, as the Python and C++ SDKs read it."""
    VARINT = "varint"
    """As the Node SDK reads it."""


@dataclass(frozen=True, slots=True)
class AgentCPCodec:
    """The codec for AgentCP's own byte layout."""

    next_beat_encoding: NextBeatEncoding = NextBeatEncoding.U64
    """How NextBeat is written; both are read."""

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        match message:
            case HeartbeatRequest():
                message_type = _HEARTBEAT_REQUEST
                body = _encode_string("agent_id", message.agent_id) + _encode_cookie(message.sign_cookie)
            case HeartbeatResponse():
                message_type = _HEARTBEAT_RESPONSE
                body = self._encode_next_beat(message.next_beat)
            case InviteRequest():
                message_type = _INVITE_REQUEST
                body = _encode_invitation(message.invitation)
            case InviteResponse():
                message_type = _INVITE_RESPONSE
                body = (
                    _encode_string("agent_id", message.agent_id)
                    + _encode_string("inviter_agent_id", message.inviter_agent_id)
                    + _encode_string("session_id", message.session_id)
                    + _encode_cookie(message.sign_cookie)
                )
            case _:
                assert_never(message)
        start = encode_varint("mask", message.mask) + encode_varint("sequence", message.sequence)
        check_sent_size(message, len(start) + _TYPE_AND_SIZE.size + len(body))
        payload_size = len(body) if message.payload_size is None else message.payload_size
        check_integer("payload_size", payload_size, high=U16_MAX)
        return start + _TYPE_AND_SIZE.pack(message_type, payload_size) + body

    def decode(self, data: bytes | memoryview) -> Message:
        """See `Codec.decode`."""
        if len(data) > MAX_DATAGRAM:
            raise received_too_long(len(data))
        try:
            mask, sequence, message_type, payload_size, offset = _read_header(data)
            if message_type == _HEARTBEAT_RESPONSE:
                return HeartbeatResponse(sequence, _read_next_beat(data, offset), mask, payload_size)
            if message_type == _HEARTBEAT_REQUEST:
                agent_id, offset = _read_string(data, offset)
                (sign_cookie,) = _U64.unpack_from(data, offset)
                return HeartbeatRequest(sequence, agent_id, sign_cookie, mask, payload_size)
            if message_type == _INVITE_REQUEST:
                return InviteRequest(sequence, _read_invitation(data, offset), mask, payload_size)
            if message_type == _INVITE_RESPONSE:
                agent_id, offset = _read_string(data, offset)
                inviter_agent_id, offset = _read_string(data, offset)
                session_id, offset = _read_string(data, offset)
                (sign_cookie,) = _U64.unpack_from(data, offset)
                return InviteResponse(sequence, agent_id, inviter_agent_id, session_id, sign_cookie, mask, payload_size)
        except (IndexError, struct.error) as error:
            raise _cut_short(data) from error
        raise WireError(f"the datagram has the unknown type {message_type}")

    def heartbeat_encoder(self, agent_id: str, sign_cookie: int) -> HeartbeatEncoder:
        """See `Codec.heartbeat_encoder`."""
        mask = b"\x00"
        after_sequence = self.encode(HeartbeatRequest(U64_MAX, agent_id, sign_cookie))[len(mask) + MAX_VARINT :]

        def encode(sequence: int) -> bytes:
            return mask + encode_varint("sequence", sequence) + after_sequence

        return encode

    def decode_heartbeat_response(self, data: bytes | memoryview) -> tuple[int, int] | None:
        """See `Codec.decode_heartbeat_response`."""
        size = len(data)
        if size > MAX_DATAGRAM:
            raise received_too_long(size)
        try:
            if data[0] == 0:  # and a u64 at the end: what servers write, read in half to three quarters of the time
                sequence, offset = data[1], 2
                if sequence >= 0x80:
                    sequence, offset = read_varint(data, 1)
                if size - offset >= _TYPE_SIZE_AND_U64.size:
                    message_type, _, next_beat = _TYPE_SIZE_AND_U64.unpack_from(data, offset)
                    return (sequence, next_beat) if message_type == _HEARTBEAT_RESPONSE else None
            _, sequence, message_type, _, offset = _read_header(data)
            return (sequence, _read_next_beat(data, offset)) if message_type == _HEARTBEAT_RESPONSE else None
        except (IndexError, struct.error) as error:
            raise _cut_short(data) from error

    def _encode_next_beat(self, next_beat: int) -> bytes:
        if self.next_beat_encoding is NextBeatEncoding.U64:
            return _U64.pack(check_integer("next_beat", next_beat))
        # A longer varint would be read as a u64, another number altogether.
        return encode_varint("next_beat", check_integer("next_beat", next_beat, high=_SHORTEST_U64_LOOKALIKE - 1))


def _encode_string(name: str, text: str) -> bytes:
    encoded = encode_text(name, text)
    return encode_varint(name, len(encoded)) + encoded


def _encode_cookie(sign_cookie: int) -> bytes:
    return _U64.pack(check_integer("sign_cookie", sign_cookie))


def _encode_invitation(invitation: Invitation) -> bytes:
    return (
        _encode_string("inviter_agent_id", invitation.inviter_agent_id)
        + _encode_string("invite_code", invitation.invite_code)
        + _I64.pack(check_integer("invite_code_expire", invitation.invite_code_expire, I64_MIN, I64_MAX))
        + _encode_string("session_id", invitation.session_id)
        + _encode_string("message_server", invitation.message_server)
    )


# The readers raise IndexError or struct.error where the datagram ends too early; their callers make it a WireError.


def _read_header(data: bytes | memoryview) -> tuple[int, int, int, int, int]:
    """Return MessageMask, MessageSeq, MessageType, PayloadSize and the offset of the body."""
    mask, offset = data[0], 1
    if mask >= 0x80:  # in practice it is a byte of 0, which is spared a call
        mask, offset = read_varint(data, 0)
    sequence, offset = read_varint(data, offset)
    message_type, payload_size = _TYPE_AND_SIZE.unpack_from(data, offset)
    return mask, sequence, message_type, payload_size, offset + _TYPE_AND_SIZE.size


def _read_next_beat(data: bytes | memoryview, offset: int) -> int:
    """Return NextBeat.  The length of the body decides: 8 bytes or more are a u64, fewer are one varint."""
    if len(data) - offset >= _U64.size:
        next_beat: int = _U64.unpack_from(data, offset)[0]
        return next_beat
    next_beat, end = read_varint(data, offset)
    if end < len(data):
        raise WireError(f"NextBeat is a varint with {len(data) - end} bytes after it")
    return next_beat


def _read_string(data: bytes | memoryview, offset: int) -> tuple[str, int]:
    length, offset = read_varint(data, offset)
    end = offset + length
    if end > len(data):
        raise WireError(f"a string of {length} bytes begins {len(data) - offset} bytes before the datagram's end")
    try:
        return str(data[offset:end], "utf-8"), end
    except UnicodeDecodeError as error:
        raise WireError(f"a string is not UTF-8: {error.reason} at byte {offset + error.start}") from error


def _read_invitation(data: bytes | memoryview, offset: int) -> Invitation:
    inviter_agent_id, offset = _read_string(data, offset)
    invite_code, offset = _read_string(data, offset)
    (invite_code_expire,) = _I64.unpack_from(data, offset)
    session_id, offset = _read_string(data, offset + _I64.size)
    message_server, _ = _read_string(data, offset)
    return Invitation(inviter_agent_id, invite_code, invite_code_expire, session_id, message_server)


def _cut_short(data: bytes | memoryview) -> WireError:
    return WireError(f"the datagram ends after {len(data)} bytes, within a field")
