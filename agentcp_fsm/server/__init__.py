"""A small, correct heartbeat server, for demos, tests and trying an agent locally; with faults that can be switched.

It plays the access point as well.  It keeps everything in memory and trusts any certificate that names the agent: it is
no server for production.
"""

from agentcp_fsm.server.console import attend, run_command
from agentcp_fsm.server.faults import ConfigShape, Direction, Faults, OldPort, SignInFault, Stranger, Unauthorized
from agentcp_fsm.server.http import ACCESS_POINT
from agentcp_fsm.server.registry import Limits
from agentcp_fsm.server.server import HeartbeatServer
from agentcp_fsm.server.statistics import AgentView, ServerStatistics
from agentcp_fsm.server.thread import ServerThread

__all__ = [
    "ACCESS_POINT",
    "AgentView",
    "ConfigShape",
    "Direction",
    "Faults",
    "HeartbeatServer",
    "Limits",
    "OldPort",
    "ServerStatistics",
    "ServerThread",
    "SignInFault",
    "Stranger",
    "Unauthorized",
    "attend",
    "run_command",
]
