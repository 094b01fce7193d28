"""An invitation in the SDK's class, or in one with the same names in a program that does not use the SDK."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from agentcp_fsm.lifecycle.session import Invitation

INVITE_REQUEST = 259
"""The type of an invite request (protocol, "Datagrams")."""
MODULES = ("agentcp.msg.message_serialize", "agentcp.message_serialize")
"""Where the SDK has its class, the newer place first."""


@dataclass(frozen=True, slots=True)
class UdpMessageHeader:
    """A datagram's header, with the SDK's names (protocol, "Datagrams")."""

    MessageMask: int = 0
    MessageSeq: int = 0
    """0: a connection hands on what was said, not in which datagram."""
    MessageType: int = INVITE_REQUEST
    PayloadSize: int = 0


@dataclass(frozen=True, slots=True)
class InviteMessageReq:
    """An invitation, with the SDK's names; what a listener receives in a program that does not use the SDK."""

    InviterAgentId: str
    InviteCode: str
    InviteCodeExpire: int
    SessionId: str
    MessageServer: str
    header: UdpMessageHeader = UdpMessageHeader()


def as_sdk(invitation: Invitation) -> Any:
    """The same in the SDK's class, if the program uses the SDK, else in `InviteMessageReq`."""
    fields: dict[str, Any] = {
        "InviterAgentId": invitation.inviter_agent_id,
        "InviteCode": invitation.invite_code,
        "InviteCodeExpire": invitation.invite_code_expire,
        "SessionId": invitation.session_id,
        "MessageServer": invitation.message_server,
    }
    sdk: Any = next((sys.modules[name] for name in MODULES if name in sys.modules), None)
    if sdk is None:
        return InviteMessageReq(**fields)
    message = sdk.InviteMessageReq()
    message.header.MessageType = INVITE_REQUEST
    for name, value in fields.items():
        setattr(message, name, value)
    return message
