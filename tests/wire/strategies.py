"""Messages, datagrams and damage done to them."""

from hypothesis import settings
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.testing import strategies
from agentcp_fsm.wire import (
    MAX_DATAGRAM,
    AgentCPCodec,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    NextBeatEncoding,
)
from agentcp_fsm.wire.codec import I64_MAX, I64_MIN, U64_MAX
from agentcp_fsm.wire.protobuf import ProtobufCodec

unhurried = settings(deadline=None)
"""A busy machine may take its time."""

NATIVE = AgentCPCodec()
NATIVE_VARINT = AgentCPCodec(NextBeatEncoding.VARINT)
PROTOBUF = ProtobufCodec()
VARINT_NEXT_BEAT_MAX = 2**49 - 1
"""The greatest NextBeat whose varint has fewer than 8 bytes."""
CODECS: dict[str, Codec] = {"agentcp": NATIVE, "protobuf": PROTOBUF}

unsigned = st.one_of(st.integers(0, U64_MAX), st.integers(0, 64).map(lambda bits: min(2**bits, U64_MAX)))
"""Unsigned 64-bit numbers of every length."""
texts = st.text(max_size=70)
"""At most 4 bytes a character, so that five of them fit into a datagram."""

invitations = st.builds(Invitation, texts, texts, st.integers(I64_MIN, I64_MAX), texts, texts)
heartbeat_requests = st.builds(HeartbeatRequest, unsigned, texts, unsigned, mask=unsigned)
heartbeat_responses = st.builds(HeartbeatResponse, unsigned, unsigned, mask=unsigned)
varint_heartbeat_responses = st.builds(HeartbeatResponse, unsigned, st.integers(0, VARINT_NEXT_BEAT_MAX), mask=unsigned)
invite_requests = st.builds(InviteRequest, unsigned, invitations, mask=unsigned)
invite_responses = st.builds(InviteResponse, unsigned, texts, texts, texts, unsigned, mask=unsigned)
messages = strategies.messages()

any_bytes = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=MAX_DATAGRAM - 1, max_size=MAX_DATAGRAM + 1),
    strategies.damaged(messages.map(NATIVE.encode)),
    strategies.damaged(varint_heartbeat_responses.map(NATIVE_VARINT.encode)),
    strategies.damaged(messages.map(PROTOBUF.encode)),
)
