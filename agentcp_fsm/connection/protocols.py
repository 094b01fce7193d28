"""The methods of the object that signs a connection in; an application may give its own as ``authenticator=``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.support.abandonment import Abandonment


class Authenticator(Protocol):
    """Signs one agent in and out.  Its methods block; they are called on worker threads, never in the loop.

    It may also be an `OnlineStateSource` and a `ProofObserver`.
    """

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session in bounded time, or raise; `abandonment` says when the result is no longer wanted.

        An `AgentCPError` may also be a `RetryAdvice`.  Any other exception is a failure too, and is logged with its
        traceback.
        """

    def sign_out(self, session: Session) -> None:
        """End a session, or raise; the connection waits no longer than the configured sign-out time."""


@runtime_checkable
class OnlineStateSource(Protocol):
    """An authenticator that can ask which agents are online; `Connection.query_online_state` uses it."""

    def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
        """Ask which of `agents` are online; blocks, and returns the server's list as it came."""


@runtime_checkable
class ProofObserver(Protocol):
    """An authenticator that wants to know which of its sessions are good."""

    def session_proven(self, session: Session) -> None:
        """The server answered the session's first heartbeat.

        Called in the loop, so it must not block; an exception is logged and has no effect.
        """


@runtime_checkable
class RetryAdvice(Protocol):
    """An error of a sign-in that says when to try again."""

    retry_after: float | None
    """Seconds to wait at least; None without advice."""

    @property
    def permanent(self) -> bool:
        """Whether trying again soon cannot help (rule 6)."""
