"""Messages to datagrams and back, in AgentCP's own byte layout or another that is chosen by name."""

from collections.abc import Callable, Mapping

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.wire.codec import MAX_DATAGRAM, Codec, HeartbeatEncoder
from agentcp_fsm.wire.messages import (
    UNAUTHORIZED,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
)
from agentcp_fsm.wire.native import AgentCPCodec, NextBeatEncoding

__all__ = [
    "CODECS",
    "MAX_DATAGRAM",
    "UNAUTHORIZED",
    "AgentCPCodec",
    "Codec",
    "HeartbeatEncoder",
    "HeartbeatRequest",
    "HeartbeatResponse",
    "InviteRequest",
    "InviteResponse",
    "Message",
    "NextBeatEncoding",
    "codec_named",
]


def _protobuf() -> Codec:
    from agentcp_fsm.wire.protobuf import ProtobufCodec  # here, because few programs need the protobuf library

    return ProtobufCodec()


CODECS: Mapping[str, Callable[[], Codec]] = {"agentcp": AgentCPCodec, "protobuf": _protobuf}
"""What makes the codec of each name."""


def codec_named(name: str) -> Codec:
    """Return the codec called `name`, one of `CODECS`; raises `ConfigError` for another name."""
    try:
        make = CODECS[name]
    except KeyError:
        raise ConfigError(f"codec is {name!r}; use one of {', '.join(map(repr, CODECS))}") from None
    return make()
