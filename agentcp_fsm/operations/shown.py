"""What is shown of agents: connections, or what stands for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol


class Report(Protocol):
    """How an agent is: `Health`, or what another process says of one."""

    @property
    def agent_id(self) -> str:
        """The agent's id."""

    @property
    def reachable(self) -> bool:
        """Whether invitations can be expected to arrive."""

    @property
    def state(self) -> str:
        """The state of its connection."""

    def to_dict(self) -> dict[str, object]:
        """All that `Health.to_dict` has."""


class Agent(Protocol):
    """What a place shows: a connection, or what stands for one."""

    agent_id: str

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that serves it, if one does in this process."""

    def health(self) -> Report:
        """How it is, from any thread."""


Agents = Iterable[Agent]
"""The agents that a place shows: a collection of yours, looked at anew with each request."""
