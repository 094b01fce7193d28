"""The same messages as Protocol Buffers, for servers that one owns; agentcp.proto is the schema.

PayloadSize belongs to AgentCP's own layout: it is neither sent nor received here.  As everywhere in proto3, a field
that a datagram leaves out reads as 0 or as empty text.
"""

from typing import assert_never

from google.protobuf.message import DecodeError

from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import agentcp_pb2
from agentcp_fsm.wire.codec import (
    I64_MAX,
    I64_MIN,
    MAX_DATAGRAM,
    U64_MAX,
    HeartbeatEncoder,
    check_integer,
    check_sent_size,
    encode_text,
    received_too_long,
)
from agentcp_fsm.wire.messages import HeartbeatRequest, HeartbeatResponse, InviteRequest, InviteResponse, Message
from agentcp_fsm.wire.varint import encode_varint

_SEQUENCE_TAG = encode_varint("tag", agentcp_pb2.Datagram.SEQUENCE_FIELD_NUMBER << 3)
"""What comes before a varint to make it the field `sequence`."""


class ProtobufCodec:
    """The codec for agentcp.proto."""

    __slots__ = ()

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        datagram = agentcp_pb2.Datagram(
            sequence=check_integer("sequence", message.sequence), mask=check_integer("mask", message.mask)
        )
        match message:
            case HeartbeatRequest():
                datagram.heartbeat_request.CopyFrom(
                    agentcp_pb2.HeartbeatRequest(
                        agent_id=_check_text("agent_id", message.agent_id),
                        sign_cookie=check_integer("sign_cookie", message.sign_cookie),
                    )
                )
            case HeartbeatResponse():
                datagram.heartbeat_response.CopyFrom(
                    agentcp_pb2.HeartbeatResponse(next_beat=check_integer("next_beat", message.next_beat))
                )
            case InviteRequest(invitation=invitation):
                datagram.invite_request.CopyFrom(
                    agentcp_pb2.InviteRequest(
                        inviter_agent_id=_check_text("inviter_agent_id", invitation.inviter_agent_id),
                        invite_code=_check_text("invite_code", invitation.invite_code),
                        invite_code_expire=check_integer(
                            "invite_code_expire", invitation.invite_code_expire, I64_MIN, I64_MAX
                        ),
                        session_id=_check_text("session_id", invitation.session_id),
                        message_server=_check_text("message_server", invitation.message_server),
                    )
                )
            case InviteResponse():
                datagram.invite_response.CopyFrom(
                    agentcp_pb2.InviteResponse(
                        agent_id=_check_text("agent_id", message.agent_id),
                        inviter_agent_id=_check_text("inviter_agent_id", message.inviter_agent_id),
                        session_id=_check_text("session_id", message.session_id),
                        sign_cookie=check_integer("sign_cookie", message.sign_cookie),
                    )
                )
            case _:
                assert_never(message)
        encoded = datagram.SerializeToString()
        check_sent_size(message, len(encoded))
        return encoded

    def decode(self, data: bytes | memoryview) -> Message:
        """See `Codec.decode`."""
        datagram = _parse(data)
        sequence, mask = datagram.sequence, datagram.mask
        match datagram.WhichOneof("body"):
            case "heartbeat_response":
                return HeartbeatResponse(sequence, datagram.heartbeat_response.next_beat, mask)
            case "heartbeat_request":
                heartbeat = datagram.heartbeat_request
                return HeartbeatRequest(sequence, heartbeat.agent_id, heartbeat.sign_cookie, mask)
            case "invite_request":
                invite = datagram.invite_request
                invitation = Invitation(
                    invite.inviter_agent_id,
                    invite.invite_code,
                    invite.invite_code_expire,
                    invite.session_id,
                    invite.message_server,
                )
                return InviteRequest(sequence, invitation, mask)
            case "invite_response":
                answer = datagram.invite_response
                return InviteResponse(
                    sequence, answer.agent_id, answer.inviter_agent_id, answer.session_id, answer.sign_cookie, mask
                )
        raise WireError("the datagram holds none of the messages of agentcp.proto")

    def heartbeat_encoder(self, agent_id: str, sign_cookie: int) -> HeartbeatEncoder:
        """See `Codec.heartbeat_encoder`."""
        self.encode(HeartbeatRequest(U64_MAX, agent_id, sign_cookie))  # refuses what would not fit later
        # A field that is 0 is left out, and fields may come in any order: the sequence goes before the rest.
        after_sequence = self.encode(HeartbeatRequest(0, agent_id, sign_cookie))

        def encode(sequence: int) -> bytes:
            return _SEQUENCE_TAG + encode_varint("sequence", sequence) + after_sequence

        return encode

    def decode_heartbeat_response(self, data: bytes | memoryview) -> tuple[int, int] | None:
        """See `Codec.decode_heartbeat_response`."""
        datagram = _parse(data)
        if not datagram.HasField("heartbeat_response"):
            return None
        return datagram.sequence, datagram.heartbeat_response.next_beat


def _check_text(name: str, text: str) -> str:
    encode_text(name, text)
    return text


def _parse(data: bytes | memoryview) -> agentcp_pb2.Datagram:
    if len(data) > MAX_DATAGRAM:
        raise received_too_long(len(data))
    try:
        return agentcp_pb2.Datagram.FromString(data)  # type: ignore[arg-type]  # takes any buffer; its stub knows bytes
    except (DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the datagram is no Datagram of agentcp.proto: {error}") from error
