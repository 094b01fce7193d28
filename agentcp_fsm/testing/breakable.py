"""A heartbeat server of this process that breaks on purpose, for as long as a ``with`` lasts.

with BreakableServer() as server:
    ...
    with server.outage():
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server.faults import Direction, OldPort, SignInFault
from agentcp_fsm.server.thread import ServerThread
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.wire import InviteResponse

INVITATION = Invitation("bob.agentid.example", "code", 1893456000, "session-1", "wss://message.agentid.example")
"""What an agent is invited with, unless a test brings its own."""


class BreakableServer(ServerThread):
    """A `ServerThread` whose faults are contexts: each ends what it began, and faults of other kinds go on.

    Contexts may be nested.  `faults` and `set_faults` reach the rest of what the server can do wrong.
    """

    def __init__(self, *, next_beat: float = 0.1, credentials: Credentials | None = None) -> None:
        """`next_beat` is the time between heartbeats, in seconds; `credentials` are the server's own proof."""
        super().__init__(next_beat=next_beat, credentials=credentials)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Nothing gets through: datagrams vanish in both directions, and every HTTP call is cut off.  Sessions last."""
        cut = SignInFault.DOWN
        with self._with(
            drop=1.0, direction=Direction.BOTH, sign_in=cut, sign_out=cut, access_point=cut, config_call=cut
        ):
            yield

    @contextmanager
    def silence(self) -> Iterator[None]:
        """The server takes heartbeats and sends no datagram; it still signs agents in."""
        with self._with(silent=True):
            yield

    @contextmanager
    def loss(self, share: float, direction: Direction = Direction.BOTH) -> Iterator[None]:
        """A share of the datagrams is lost, from 0 (none) to 1 (all)."""
        with self._with(drop=share, direction=direction):
            yield

    @contextmanager
    def delay(self, seconds: float) -> Iterator[None]:
        """The server's datagrams are late by so many seconds."""
        with self._with(delay=seconds):
            yield

    @contextmanager
    def duplication(self, copies: int = 2) -> Iterator[None]:
        """Each of the server's datagrams comes so many times."""
        with self._with(copies=copies):
            yield

    @contextmanager
    def refuse_sign_ins(self, status: int = 503, retry_after: float | None = None) -> Iterator[None]:
        """Sign-ins are answered with this HTTP status, 400 to 599, and with a Retry-After of so many seconds."""
        wait = "" if retry_after is None else f"{retry_after:g}"
        with self._with(sign_in=SignInFault.STATUS, status=status, retry_after=wait):
            yield

    @contextmanager
    def hang_sign_ins(self) -> Iterator[None]:
        """Sign-ins are never answered."""
        with self._with(sign_in=SignInFault.HANG):
            yield

    def restart(self, *, move: bool = False) -> None:
        """Forget all sessions, as a server does that restarts; with `move`, take heartbeats on another UDP port too."""
        super().restart()
        if move:
            self.move(old_port=OldPort.DEAD)

    def invite(self, agent_id: str, invitation: Invitation = INVITATION, timeout: float = 5.0) -> InviteResponse:
        """See `HeartbeatServer.invite`."""
        return super().invite(agent_id, invitation, timeout)

    @contextmanager
    def _with(self, **changes: Any) -> Iterator[None]:
        before = {name: getattr(self.faults, name) for name in changes}
        self.set_faults(**changes)
        try:
            yield
        finally:
            self.set_faults(**before)
