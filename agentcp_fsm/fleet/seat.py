"""An agent's place in a fleet: its member, its connection, and how far its start has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.fleet.pacing import Pace
from agentcp_fsm.fleet.reports import Absent
from agentcp_fsm.lifecycle.chart import SERVING, State
from agentcp_fsm.lifecycle.effects import Effect, ReportTransition
from agentcp_fsm.lifecycle.events import Event, SignInFailed
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation


class Stage(Enum):
    """How far an agent has come."""

    WAITING = auto()
    MAKING = auto()
    STARTED = auto()
    """Its connection is started, and was never online."""
    SETTLED = auto()
    """Its connection was online; what it is now is its own matter."""
    REFUSED = auto()
    LEAVING = auto()


REASONS = {
    Stage.WAITING: "It waits to be started: others come first.",
    Stage.MAKING: "Its files are read.",
    Stage.LEAVING: "It signs out, because its settings were changed.",
}
FAILED = (State.BACKOFF, State.STOPPING, State.OFFLINE)
"""The states that a first attempt which fails leads to."""


class Seat:
    """One agent's place."""

    __slots__ = ("connection", "hears", "member", "refusal", "removed", "server", "stage", "watcher")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.connection: AsyncConnection | None = None
        self.stage = Stage.WAITING
        self.refusal = ""
        """Why it cannot be started."""
        self.removed = False
        """Whether it is only there until it has signed out."""
        self.server = ""
        """In whose queue it was last."""
        self.watcher: Watcher | None = None
        """Of the start under way."""
        self.hears = False
        """Whether the connection calls `invited`."""

    def begin(self, connection: AsyncConnection) -> None:
        """Take a connection that is to be started."""
        self.connection, self.hears = connection, False
        self.stage, self.refusal = Stage.STARTED, ""
        self.hear()
        if self.watcher is not None:
            connection.observe(self.watcher)

    def hear(self) -> None:
        """Have invitations arrive at the member's handler, if it has one."""
        if self.connection is not None and self.member.handle is not None and not self.hears:
            self.hears = True
            self.connection.on_invite(self.invited)

    def invited(self, invitation: Invitation) -> Any:
        """Call the present member's handler; what it returns may be a coroutine."""
        member = self.member
        return None if member.handle is None else member.handle(member.agent_id, invitation)

    def standing(self) -> str:
        """Which number of `Progress` it counts in."""
        if self.connection is None:
            return "refused" if self.stage is Stage.REFUSED else "waiting"
        if self.connection.state in SERVING:
            return "reachable"
        return "lost" if self.stage is Stage.SETTLED else "starting"

    def shown(self) -> AsyncConnection | Absent:
        """What is shown of the agent."""
        if (connection := self.connection) is not None:
            return connection
        refusal = self.refusal if self.stage is Stage.REFUSED else ""
        place = f"{self.member.place}: " if self.member.place else ""
        reason = f"{place}{refusal}" if refusal else REASONS.get(self.stage, "")
        return Absent(self.member.agent_id, reason, refusal or None)


class Watcher:
    """Watches a connection until it is online, and reports its first attempt."""

    __slots__ = ("_attempted", "_came_online", "_loop", "_machine", "is_under_way", "number", "pace", "seat")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seat: Seat,
        pace: Pace,
        number: int,
        attempted: Callable[[Watcher, float | None, bool], None],
        came_online: Callable[[Watcher], None],
    ) -> None:
        self._loop = loop
        self.seat = seat
        self.pace = pace
        self.number = number
        self.is_under_way = True
        """Whether the pace counts it."""
        self._attempted = attempted
        self._came_online = came_online
        self._machine: Lifecycle | None = None

    def adopted(self, machine: Lifecycle) -> None:
        """The connection's machine."""

    def stepped(self, event: Event, effects: Sequence[Effect]) -> None:
        """Report what came of the attempt, after the effects are carried out."""
        for effect in effects:
            if isinstance(effect, ReportTransition):
                if effect.dest is State.ONLINE:
                    self._loop.call_soon(self._came_online, self)
                elif effect.dest in FAILED:
                    retry_after, own_fault = None, False
                    if isinstance(event, SignInFailed):
                        retry_after, own_fault = event.retry_after, event.rejected
                    self._loop.call_soon(self._attempted, self, retry_after, own_fault)
