"""Many agents in one program: started at the pace of their servers, changed while they run, stopped in bounded time."""

from agentcp_fsm.fleet.asynchronous import AsyncFleet
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.fleet.reports import Changes, Progress
from agentcp_fsm.fleet.threaded import Fleet

__all__ = ["AsyncFleet", "Changes", "Fleet", "Member", "Progress"]
