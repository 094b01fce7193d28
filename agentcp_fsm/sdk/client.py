"""A `HeartbeatClient` with the methods and attributes of the AgentCP SDK's own, kept reachable by one `Connection`."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Unpack
from weakref import WeakSet

from agentcp_fsm.connection import Connection
from agentcp_fsm.connection.hub import JOIN_TIMEOUT
from agentcp_fsm.connection.workers import HandlerQueue
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.lifecycle.chart import CONNECTING, State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.sdk.messages import as_sdk
from agentcp_fsm.sdk.services import publish, reconnect_message_clients
from agentcp_fsm.sign_in import ClientOptions, Credentials
from agentcp_fsm.support import forking
from agentcp_fsm.support.log import Flood, logger_of
from agentcp_fsm.support.quoting import quoted

logger = logger_of("agentcp_fsm.sdk")

INVITATION_LIMIT = 64
"""How many invitations wait for a listener, and as many again for it to return."""

UNAUTHORIZED = "401"
"""What the SDK's `ErrorContext` hears, with the code 0, when the server forgot the session."""

InviteListener = Callable[[Any], Any]


class HeartbeatClient:
    """The SDK's heartbeat client, as to its methods; `connection` has all the rest: states, transitions, health.

    ``aid_path`` is the folder of the agent's ``.key`` and ``.crt``, or the SDK's data folder; ``seed_password`` opens
    the key.  Beyond the SDK's arguments: ``config``, and the options of `AuthClient` that say whom to trust, such as
    ``verify`` for a private certificate authority, or ``allow_insecure_http``.

    Raises CredentialsError or ConfigError at once for what cannot work; the methods raise nothing, as the SDK's.
    """

    _connection_class = Connection

    def __init__(
        self,
        agent_id: str,
        server_url: str,
        aid_path: str | os.PathLike[str],
        seed_password: str | None,
        *,
        config: Config | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.agent_id = agent_id
        self.server_url = server_url
        credentials = Credentials.load(aid_path, agent_id, seed_password)
        self.connection = self._connection_class(
            agent_id, server_url, credentials=credentials, config=config, **options
        )
        self.connection.on_invite(self._invited)
        self.connection.on_transition(self._transitioned)
        self.auth_client = SessionToken(self.connection, server_url)
        self._listener: InviteListener | None = None
        self._clean_slate()
        _clients.add(self)

    def _clean_slate(self) -> None:
        """Nothing was asked for, nothing was received."""
        self._wanted = False
        """Whether it was asked to be reachable, and not to leave since."""
        self._lock = threading.Lock()
        self._unheard: deque[Invitation] = deque()
        self._lost = Flood(logger, logging.WARNING, self.agent_id, "an invitation from %s found no listener")
        self._deliveries = HandlerQueue(INVITATION_LIMIT, self.agent_id)

    # What the SDK's client has as attributes --------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the agent is to be reachable: from `online` or `sign_in` to `offline`, or until it has given up."""
        return self._wanted and not self.connection.wait_for(State.OFFLINE, timeout=0)

    @property
    def heartbeat_interval(self) -> int:
        """Milliseconds between heartbeats."""
        interval = self.connection.health().interval
        return round(1000 * (self.connection.config.interval_min if interval is None else interval))

    @property
    def server_ip(self) -> str:
        """Where heartbeats go: an address or a name; as the SDK's, 127.0.0.1 without a session."""
        return "127.0.0.1" if (session := self.connection.session) is None else session.host

    @property
    def port(self) -> int:
        """The UDP port to which heartbeats go; 0 without a session."""
        return 0 if (session := self.connection.session) is None else session.port

    @property
    def sign_cookie(self) -> int:
        """The session's cookie, a secret; 0 without a session."""
        return 0 if (session := self.connection.session) is None else session.cookie

    @property
    def local_ip(self) -> str:
        """The address that heartbeats come from; 0.0.0.0 without a socket."""
        return self._local_address[0]

    @property
    def local_port(self) -> int:
        """The UDP port that heartbeats come from; 0 without a socket."""
        return self._local_address[1]

    @property
    def _local_address(self) -> tuple[str, int]:
        return self.connection.local_address or ("0.0.0.0", 0)  # noqa: S104 - what the SDK says of no address; nothing is bound to it

    # What the SDK calls -----------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Sign in; see `sign_in`."""
        self.sign_in()

    def sign_in(self) -> bool:
        """Go online, and wait until the server answers heartbeats, or the attempt has failed; both take a bounded time.

        False if it failed; the reason is logged, and the connection keeps trying, unless it has given up.
        """
        self.online()
        # OFFLINE means that it was stopped meanwhile, or gave up: then there is nothing to wait for.
        over = [state for state in State if state not in CONNECTING and state is not State.STOPPING]
        self.connection.wait_for(*over, timeout=self.connection.config.attempt_bound)
        health = self.connection.health()
        if health.reachable:
            return True
        if health.state is State.OFFLINE and self._wanted:
            logger.warning("%s %s; call online() to try again", self.agent_id, health.last_error)
        else:
            failure = health.statistics.last_failure
            text = "none" if failure is None else failure.text
            logger.warning("%s is not online yet, but %s; the last failure: %s", self.agent_id, health.state, text)
        return False

    def online(self) -> None:
        """Become reachable, and stay so until `offline`; returns at once, and does nothing if called already."""
        self._wanted = True
        self.connection.start()

    def offline(self) -> None:
        """Sign out and come to rest, within a bounded time; does nothing if called already."""
        self._wanted = False
        if not self.connection.stop():
            logger.warning("%s is not at rest yet, but %s", self.agent_id, self.connection.state)
        self._deliveries.join(JOIN_TIMEOUT)
        self._deliveries.end_floods()
        self._lost.end()

    def sign_out(self) -> None:
        """Go offline, which signs out; does nothing after `offline`."""
        self.offline()

    def set_on_recv_invite(self, listener: InviteListener | None) -> None:
        """Have `listener` called with each invitation, first with the latest that came while there was none.

        It is called away from the heartbeats, one invitation at a time: it may take its time and may raise.  The SDK
        goes online before it sets its listener.
        """
        with self._lock:
            self._listener = listener
            while listener is not None and self._unheard:
                self._deliveries.submit(partial(listener, as_sdk(self._unheard.popleft())))

    def get_online_status(self, aids: Sequence[str]) -> list[Any]:
        """Ask the server which of the agents are online: its list as it came; empty, and the reason logged, if not."""
        try:
            return self.connection.query_online_state(aids)
        except AgentCPError as error:
            logger.warning("%s: the online status of %s is not known: %s", self.agent_id, aids, error)
            return []

    # What the connection reports --------------------------------------------------------------------------------------

    def _invited(self, invitation: Invitation) -> None:
        with self._lock:
            if self._listener is not None:
                self._deliveries.submit(partial(self._listener, as_sdk(invitation)))
                return
            if len(self._unheard) == INVITATION_LIMIT:
                lost = self._unheard.popleft()
                self._lost.log(quoted(lost.inviter_agent_id))
            self._unheard.append(invitation)

    def _transitioned(self, transition: ReportTransition) -> None:
        failed = transition.source in CONNECTING and transition.dest in (State.BACKOFF, State.STOPPING)
        if transition.lost or (failed and transition.trigger not in ("stop", "reconnect")):
            if transition.trigger == "unauthorized":
                publish(f"{UNAUTHORIZED}: {self.agent_id}: {transition.text}", code=0)
            else:
                publish(f"{self.agent_id}: {transition.text}")
        if transition.dest == State.ONLINE and transition.source == State.RECONNECTING:
            self._deliveries.submit(partial(reconnect_message_clients, self.agent_id, self._listener))


class SessionToken:
    """The readable part of the SDK's ``auth_client``, which its heartbeat client has as an attribute."""

    __slots__ = ("_connection", "agent_id", "server_url")

    def __init__(self, connection: Connection, server_url: str) -> None:
        self._connection = connection
        self.agent_id = connection.agent_id
        self.server_url = server_url

    @property
    def signature(self) -> str | None:
        """The bearer token of the session, a secret; None without a session."""
        return None if (session := self._connection.session) is None else session.token


_clients: WeakSet[HeartbeatClient] = WeakSet()
"""All there are, so that a forked child can put its copies to rest, as `Connection` does."""


def _forget_in_child() -> None:
    for client in list(_clients):
        client._clean_slate()


forking.in_child(forking.Stage.CLIENTS, _forget_in_child)
