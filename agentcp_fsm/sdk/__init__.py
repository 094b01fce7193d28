"""Our heartbeat client for programs that use the AgentCP SDK.

`install()` puts it in the place of the SDK's own, so that a program which uses ``agentcp`` stays as it is.
"""

from agentcp_fsm.sdk.client import HeartbeatClient, SessionToken
from agentcp_fsm.sdk.messages import InviteMessageReq, UdpMessageHeader
from agentcp_fsm.sdk.place import install, uninstall

__all__ = [
    "HeartbeatClient",
    "InviteMessageReq",
    "SessionToken",
    "UdpMessageHeader",
    "install",
    "uninstall",
]
