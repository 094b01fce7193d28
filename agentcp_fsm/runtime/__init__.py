"""The runtime: the machine on real sockets, real time and real threads, behind two thin faces."""

from agentcp_fsm.runtime.connection import AsyncConnection, Connection, Health
from agentcp_fsm.runtime.driver import Authenticator

__all__ = ["AsyncConnection", "Authenticator", "Connection", "Health"]
