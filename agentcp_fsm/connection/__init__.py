"""The runtime: the machine on real sockets, real time and real threads, behind two thin faces."""

from agentcp_fsm.connection.driver import Authenticator
from agentcp_fsm.connection.faces import AsyncConnection, Connection, Health

__all__ = ["AsyncConnection", "Authenticator", "Connection", "Health"]
