"""What a driver reports to."""

from __future__ import annotations

from typing import Protocol

from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation


class Listener(Protocol):
    """Receives the reports of a connection's life; called in the loop, so nothing here may block."""

    def transitioned(self, transition: ReportTransition) -> None:
        """The state changed."""

    def invited(self, invitation: Invitation) -> None:
        """An invitation is to be delivered."""

    def failed(self, reason: str) -> None:
        """Something needs a person."""
