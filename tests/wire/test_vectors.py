"""The golden datagrams (protocol, "Datagrams"), byte for byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.errors import WireError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.wire import (
    AgentCPCodec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
    NextBeatEncoding,
)

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))


def message_of(vector: dict[str, Any]) -> Message:
    fields = vector["fields"]
    header = {"sequence": fields["seq"], "mask": fields["mask"], "payload_size": fields["payload_size"]}
    match vector["kind"]:
        case "heartbeat_request":
            return HeartbeatRequest(agent_id=fields["agent_id"], sign_cookie=int(fields["sign_cookie"]), **header)
        case "heartbeat_response":
            return HeartbeatResponse(next_beat=int(fields["next_beat"]), **header)
        case "invite_request":
            invitation = Invitation(
                fields["inviter_agent_id"],
                fields["invite_code"],
                int(fields["invite_code_expire"]),
                fields["session_id"],
                fields["message_server"],
            )
            return InviteRequest(invitation=invitation, **header)
        case "invite_response":
            return InviteResponse(
                agent_id=fields["agent_id"],
                inviter_agent_id=fields["inviter_agent_id"],
                session_id=fields["session_id"],
                sign_cookie=int(fields["sign_cookie"]),
                **header,
            )
        case kind:
            raise ValueError(f"vectors.json has the unknown kind {kind!r}")


def valid(*, encodable: bool = False) -> Iterator[Any]:
    for index, vector in enumerate(VECTORS["valid"]):
        if not (encodable and "decode_only" in vector):
            yield pytest.param(vector, id=f"{vector['kind']}-{index}")


@pytest.mark.parametrize("vector", list(valid()))
@pytest.mark.parametrize("buffer", [bytes, memoryview])
def test_decodes_to_exactly_the_fields(vector: dict[str, Any], buffer: type[bytes] | type[memoryview]) -> None:
    decoded = AgentCPCodec().decode(buffer(bytes.fromhex(vector["hex"])))
    assert decoded == message_of(vector)
    assert decoded.payload_size == vector["fields"]["payload_size"]


@pytest.mark.parametrize("vector", list(valid(encodable=True)))
def test_encodes_to_exactly_the_bytes(vector: dict[str, Any]) -> None:
    codec = AgentCPCodec(NextBeatEncoding(vector.get("encoding", "u64")))
    assert codec.encode(message_of(vector)).hex() == vector["hex"]


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["why"]) for vector in VECTORS["invalid"]])
@pytest.mark.parametrize("buffer", [bytes, memoryview])
def test_refuses(vector: dict[str, Any], buffer: type[bytes] | type[memoryview]) -> None:
    with pytest.raises(WireError):
        AgentCPCodec().decode(buffer(bytes.fromhex(vector["hex"])))
