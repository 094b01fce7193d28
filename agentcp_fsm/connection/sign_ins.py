"""One connection's sign-ins and sign-outs: calls that block, made on the hub's pool, which report what came of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.connection.protocols import RetryAdvice
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.lifecycle.effects import SignIn
from agentcp_fsm.lifecycle.events import Event, SignedIn, SignedOut, SignInFailed
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.support import threads
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.support.quoting import name_of, reason_of

logger = logger_of(__name__)

UNDER_WAY_LIMIT = 8
"""How many sign-ins of a connection may be under way, all but one abandoned: each that hangs costs a thread."""


class SignIns:
    """The calls of one connection; `begin`, `abandon` and `sign_out` are called in the loop."""

    __slots__ = ("_abandonment", "_agent_id", "_job", "_sign_out_timeout", "_under_way")

    def __init__(self, agent_id: str, sign_out_timeout: float) -> None:
        self._agent_id = agent_id
        self._sign_out_timeout = sign_out_timeout
        self._abandonment: Abandonment | None = None
        self._job: Callable[[], None] | None = None
        """The sign-in that is awaited."""
        self._under_way: set[int] = set()
        """The attempts whose sign-ins have not come to an end, abandoned ones included."""

    def begin(self, lease: Lease, effect: SignIn) -> Event | None:
        """Begin a sign-in, which reports `SignedIn` or `SignInFailed`; returns the latter if it cannot begin."""
        attempt = effect.attempt
        if len(self._under_way) >= UNDER_WAY_LIMIT:
            reason = (
                f"{len(self._under_way)} earlier sign-ins have not come to an end: the authenticator must bound them"
            )
            return SignInFailed(attempt, reason, rejected=True)
        self._abandonment = Abandonment(effect.connect_timeout)
        self._job = partial(self._sign_in, lease, attempt, self._abandonment)
        self._under_way.add(attempt)
        if failure := lease.submit(self._job):
            self._under_way.discard(attempt)
            return SignInFailed(attempt, failure)
        return None

    def abandon(self, lease: Lease, attempt: int) -> None:
        """Give up the sign-in that is awaited, if there is one."""
        if self._abandonment is not None and self._job is not None:
            self._abandonment.abandon()
            if lease.hub.pool.give_up(self._job):
                self._under_way.discard(attempt)
            self._abandonment = self._job = None

    def sign_out(self, lease: Lease, attempt: int, session: Session) -> Event | None:
        """Begin a sign-out, which reports `SignedOut`; returns that if it cannot begin.

        At the end of its time it is given up: one that hangs keeps no other call waiting.  Where the interpreter starts
        no thread any more, at its exit, it is made here.
        """
        job = partial(self._sign_out, lease, attempt, session)
        if failure := lease.submit(job):
            if not threads.interpreter_exits():
                lease.is_unsaid = True
                return SignedOut(attempt, failure)
            job()
            return None
        if not lease.hub.loop.is_closed():  # as it may be for a session that comes too late
            lease.hub.loop.call_later(self._sign_out_timeout, lease.hub.pool.give_up, job)
        return None

    def _sign_in(self, lease: Lease, attempt: int, abandonment: Abandonment) -> None:
        event = None if abandonment.abandoned else self._outcome(lease, attempt, abandonment)
        self._under_way.discard(attempt)
        if event is None:
            return
        # If the stay is over, or its loop closed, the machine is out of reach, and a session of no use.
        is_heard = not (isinstance(event, SignedIn) and lease.is_over) and lease.report(event)
        if isinstance(event, SignedIn) and not is_heard:
            self._sign_out(lease, attempt, event.session)

    def _outcome(self, lease: Lease, attempt: int, abandonment: Abandonment) -> SignedIn | SignInFailed:
        authenticator = lease.authenticator
        try:
            session = authenticator.sign_in(abandonment)
            if not isinstance(session, Session):
                # Not the value itself, which may hold the session's token.
                kind = "None" if session is None else f"a {name_of(type(session))}"
                raise TypeError(f"the authenticator {name_of(authenticator)} returned {kind}, which is no Session")
        except AgentCPError as error:
            if isinstance(error, RetryAdvice):
                return SignInFailed(attempt, reason_of(error, AgentCPError), error.retry_after, error.permanent)
            return SignInFailed(attempt, reason_of(error, AgentCPError))
        except BaseException as error:  # of any kind: the machine must hear of it
            logger.exception("%s: the sign-in failed in an unexpected way", self._agent_id)
            return SignInFailed(attempt, reason_of(error, AgentCPError))
        return SignedIn(attempt, session)

    def _sign_out(self, lease: Lease, attempt: int, session: Session) -> None:
        reason = ""
        try:
            lease.authenticator.sign_out(session)
        except AgentCPError as error:
            reason = reason_of(error, AgentCPError)
            logger.warning("%s: the sign-out failed: %s", self._agent_id, reason)
        except BaseException as error:  # of any kind: the machine must hear of it
            reason = reason_of(error, AgentCPError)
            logger.exception("%s: the sign-out failed in an unexpected way", self._agent_id)
        lease.report(SignedOut(attempt, reason))
