"""What runs the machine on real sockets, real time and real threads, behind two thin faces."""

from agentcp_fsm.connection.asynchronous import AsyncConnection
from agentcp_fsm.connection.health import Health
from agentcp_fsm.connection.protocols import Authenticator
from agentcp_fsm.connection.threaded import Connection

__all__ = ["AsyncConnection", "Authenticator", "Connection", "Health"]
