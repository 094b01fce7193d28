"""What a fleet says of itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields, replace

from agentcp_fsm.connection import AsyncConnection, Health


@dataclass(frozen=True, slots=True)
class Progress:
    """How many agents of a fleet are where."""

    members: int = 0
    waiting: int = 0
    """Not started yet: others come first."""
    starting: int = 0
    """Started, and never online so far."""
    reachable: int = 0
    """ONLINE or DEGRADED."""
    lost: int = 0
    """Were online, and are not now."""
    refused: int = 0
    """Cannot be started as they are configured."""
    quarantined: int = 0
    """Not started any more: again and again, the process ended that was at them."""
    held: float = 0.0
    """Seconds for which no further agent is started, because a server asked for a pause or does not answer."""

    def __add__(self, other: Progress) -> Progress:
        """Both together, as of two processes."""
        summed = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        return Progress(**summed | {"held": max(self.held, other.held)})


@dataclass(frozen=True, slots=True)
class Changes:
    """Which agents a change touched, by id."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Their connections are made anew."""
    rehandled: tuple[str, ...] = ()
    """Another handler takes their invitations; their connections are kept."""


class _Nobody:
    """An authenticator that is never asked."""

    def sign_in(self, abandonment: object) -> None:
        raise NotImplementedError

    def sign_out(self, session: object) -> None:
        raise NotImplementedError


_IDLE = AsyncConnection("nobody.agentid.pub", authenticator=_Nobody())  # type: ignore[arg-type] # never started


class Absent:
    """Stands for an agent that has no connection, where connections are shown."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, agent_id: str, reason: str, error: str | None) -> None:
        self.agent_id = agent_id
        self._reason = reason
        self._error = error

    def health(self) -> Health:
        """OFFLINE, with the reason."""
        return replace(_IDLE.health(), agent_id=self.agent_id, reason=self._reason, last_error=self._error)
