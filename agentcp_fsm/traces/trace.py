"""A trace as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.variables import Snapshot


class Step(NamedTuple):
    """One event, and what the machine made of it."""

    event: Event
    at: float
    """Seconds on the machine's clock."""
    effects: tuple[Effect, ...]
    draws: tuple[float, ...]
    """The random numbers that were drawn meanwhile."""
    state: str
    """The state after the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened to one machine, from some moment on."""

    config: Config
    start: Snapshot
    """The machine before the first step."""
    steps: tuple[Step, ...]
    agent_id: str = ""
    wall: float | None = None
    """Seconds to add to a time of the trace for one since 1970, UTC; None if they are not known."""
    seed: int | None = None
    """What the random numbers were made from; None if it is not known."""
    torn: bool = False
    """Whether the file ended within a step, which is left out."""
