"""A small, correct heartbeat server, for demos, tests and trying an agent locally; with faults that can be switched.

It keeps everything in memory and trusts any certificate that names the agent: it is no server for production.
"""

from agentcp_fsm.server.console import run_command
from agentcp_fsm.server.faults import Faults, SignInFault
from agentcp_fsm.server.registry import Registry
from agentcp_fsm.server.server import HeartbeatServer, ServerStatistics
from agentcp_fsm.server.thread import ServerThread

__all__ = [
    "Faults",
    "HeartbeatServer",
    "Registry",
    "ServerStatistics",
    "ServerThread",
    "SignInFault",
    "run_command",
]
