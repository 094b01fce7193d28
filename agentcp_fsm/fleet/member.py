"""An agent of a fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.lifecycle.session import Invitation

Handle = Callable[[str, Invitation], Any]
"""Takes the id of the invited agent, and the invitation; may block, or be a coroutine function."""


@dataclass(frozen=True, slots=True)
class Member:
    """An agent, and how its connection is made."""

    agent_id: str
    make: Callable[[], AsyncConnection] = field(compare=False)
    """Makes its connection, in a thread of the fleet: it may read files.  One that raises keeps no other agent."""
    made_of: object
    """What the connection is made of: while it stays equal, a connection is kept."""
    handle: Handle | None = field(default=None, compare=False)
    """Takes its invitations; a new one takes the place of the old without touching the connection."""
    server: str = ""
    """Where it signs in.  Agents of one server are started at that server's pace."""
    place: str = ""
    """Where it is configured, ``FILE:LINE``."""

    @classmethod
    def of(
        cls, agent_id: str, server_url: str | None = None, *, handle: Handle | None = None, **arguments: Any
    ) -> Self:
        """A member whose connection is made of these arguments, which are those of `AsyncConnection`."""
        server = server_url or arguments.get("access_point") or agent_id.partition(".")[2]
        return cls(
            agent_id,
            lambda: AsyncConnection(agent_id, server_url, **arguments),
            (server_url, arguments),
            handle,
            str(server),
        )
