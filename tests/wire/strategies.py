"""Messages, datagrams and damage done to them."""

from hypothesis import settings
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import (
    MAX_DATAGRAM,
    AgentCPCodec,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
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
messages: st.SearchStrategy[Message] = st.one_of(
    heartbeat_requests, heartbeat_responses, invite_requests, invite_responses
)


@st.composite
def damaged(draw: st.DrawFn, datagrams: st.SearchStrategy[bytes]) -> bytes:
    """Datagrams with bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(datagrams))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 12)))
        data[start:stop] = draw(st.one_of(st.binary(max_size=12), st.just(bytes(data[start:stop] * 2))))
    return bytes(data)


any_bytes = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=MAX_DATAGRAM - 1, max_size=MAX_DATAGRAM + 1),
    damaged(messages.map(NATIVE.encode)),
    damaged(varint_heartbeat_responses.map(NATIVE_VARINT.encode)),
    damaged(messages.map(PROTOBUF.encode)),
)
