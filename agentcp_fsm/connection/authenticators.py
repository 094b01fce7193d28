"""How a connection signs in over HTTP: an agent's credentials and a client of its server, put together.

The server is given (`HttpSignIn`), or found through the agent's access point (`DiscoveredSignIn`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.errors import ConfigError, DiscoveryError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import (
    Abandonment,
    AccessPointClient,
    AuthClient,
    ClientOptions,
    Credentials,
    Timeouts,
    Transport,
    access_point_url,
)
from agentcp_fsm.support.log import logger_of

logger = logger_of(__name__)

EXAMPLE = "https://heartbeat.example"
"""A server's URL that works, to try options with."""
SESSIONS_REMEMBERED = 8
"""A server may be left before its session is signed out: so many of the latest sessions are signed out where they are
from.  Each attempt has one at most, so these are far more than can be waiting."""


@dataclass(frozen=True, slots=True)
class HttpSignIn:
    """Signs one agent in and out.

    Without a client of the application's own, the calls go through connections that all agents of a hub share.
    """

    credentials: Credentials
    server_url: str | None
    client: AuthClient | None
    timeouts: Timeouts
    sign_out_timeout: float
    """Seconds: a sign-out that nobody waits for any longer is not to go on."""

    @classmethod
    def of(
        cls,
        agent_id: str,
        server_url: str | None,
        credentials: Credentials | None,
        client: AuthClient | None,
        config: Config,
    ) -> HttpSignIn:
        """Check what an application gave; raises ConfigError for what cannot work."""
        credentials = _checked(agent_id, credentials)
        if (server_url is None) is (client is None):
            raise ConfigError(
                "give either the server's URL or a client=AuthClient(url, …) with options of its own; or let"
                " Connection.discover find the server"
            )
        timeouts = _timeouts(config)
        if server_url is not None:
            AuthClient(server_url, timeouts=timeouts)  # raises for a URL that cannot work, before anything is begun
        return cls(credentials, server_url, client, timeouts, config.sign_out_timeout)

    def on(self, hub: Hub) -> HttpAuthenticator:
        """The same, ready for use on a hub."""
        client = self.client
        if client is None:
            assert self.server_url is not None
            client = AuthClient(self.server_url, timeouts=self.timeouts, transport=hub.shared(Transport))
        return HttpAuthenticator(self.credentials, client, self.sign_out_timeout)


@dataclass(frozen=True, slots=True)
class HttpAuthenticator:
    """`agentcp_fsm.connection.Authenticator` over HTTP."""

    credentials: Credentials
    client: AuthClient
    sign_out_timeout: float

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session; raises SignInError."""
        return self.client.sign_in(self.credentials, abandonment)

    def sign_out(self, session: Session) -> None:
        """End a session; raises SignInError."""
        self.client.sign_out(self.credentials.agent_id, session, timeout=self.sign_out_timeout)

    def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
        """Ask which of `agents` are online; raises SignInError."""
        return self.client.query_online_state(self.credentials.agent_id, session, agents, abandonment)


@dataclass(frozen=True, slots=True)
class DiscoveredSignIn:
    """Signs one agent in and out at the server that its access point names."""

    credentials: Credentials
    access_point: str
    """The URL of its calls."""
    config: Config
    options: ClientOptions

    @classmethod
    def of(
        cls,
        agent_id: str,
        credentials: Credentials | None,
        access_point: str | None,
        config: Config,
        options: ClientOptions,
    ) -> DiscoveredSignIn:
        """Check what an application gave; raises ConfigError for what cannot work."""
        credentials = _checked(agent_id, credentials)
        url = access_point_url(agent_id, access_point)
        _timeouts(config)  # raises for what cannot work, as the clients do
        for client in (AccessPointClient(url, **options), AuthClient(EXAMPLE, **options)):
            client.close()  # to make them raises for what cannot work, before anything is begun
        return cls(credentials, url, config, options)

    def on(self, hub: Hub) -> DiscoveringAuthenticator:
        """The same, ready for use on a hub."""
        transport, timeouts = hub.shared(Transport), _timeouts(self.config)
        # The access point gets half of an attempt's time: should it be of no help, the other half is for the server
        # that is known.
        access_point = AccessPointClient(
            self.access_point,
            timeouts=replace(timeouts, total=timeouts.total / 2),
            transport=transport,
            **self.options,
        )
        return DiscoveringAuthenticator(
            self.credentials,
            access_point,
            lambda url: AuthClient(url, timeouts=timeouts, transport=transport, **self.options),
            self.config,
        )


class DiscoveringAuthenticator:
    """`agentcp_fsm.connection.Authenticator` over HTTP, which asks the agent's access point for the server.

    The server is asked for when none is known, and when the last attempt with the known one came to nothing, because
    it may have moved for good: but not more often than `Config.discovery_interval_min` says, nor before a Retry-After;
    and if the access point is of no help, the known server is tried all the same.  So a server that restarts costs its
    access point nothing, and neither the one nor the other can keep an agent away for ever.
    """

    def __init__(
        self,
        credentials: Credentials,
        access_point: AccessPointClient,
        client_of: Callable[[str], AuthClient],
        config: Config,
    ) -> None:
        self._credentials = credentials
        self._access_point = access_point
        self._client_of = client_of
        self._config = config
        self._lock = threading.Lock()
        """An abandoned sign-in may still be under way when the next one begins."""
        self._server: str | None = None
        """The URL that the access point named last."""
        self._client: AuthClient | None = None
        """Its client, which remembers issuers and must not be made anew for each sign-in."""
        self._doubted = False
        """Whether nothing came of the server since it was last turned to."""
        self._ask_from = 0.0
        """When the access point may be asked again; monotonic seconds."""
        self._clients: dict[Session, AuthClient] = {}
        """Where the latest sessions are from."""

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session; raises SignInError."""
        client = self._find_server(abandonment)
        session = client.sign_in(self._credentials, abandonment)
        with self._lock:
            self._clients.pop(session, None)
            self._clients[session] = client
            if len(self._clients) > SESSIONS_REMEMBERED:
                del self._clients[next(iter(self._clients))]
        return session

    def session_proven(self, session: Session) -> None:
        """The server answers the session's heartbeats: for the next attempt it is good."""
        self._doubted = False

    def sign_out(self, session: Session) -> None:
        """End a session, at the server that it is from; raises SignInError."""
        client = self._clients[session]  # it stays there, for questions that are still asked in the session
        client.sign_out(self._credentials.agent_id, session, timeout=self._config.sign_out_timeout)

    def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
        """Ask which of `agents` are online; raises SignInError."""
        client = self._clients[session]
        return client.query_online_state(self._credentials.agent_id, session, agents, abandonment)

    def _find_server(self, abandonment: Abandonment) -> AuthClient:
        with self._lock:
            known, now = self._client, time.monotonic()
            ask = known is None or (self._doubted and now >= self._ask_from)
            self._doubted = True
            if ask:  # whatever comes of it: an access point that never answers must not be asked each time
                self._ask_from = now + self._config.discovery_interval_min
        if known is not None and not ask:
            return known
        agent_id = self._credentials.agent_id
        try:
            server = self._access_point.config(self._credentials, abandonment).heartbeat_server
        except DiscoveryError as error:
            if known is None:
                raise
            if error.retry_after is not None:
                patience = min(error.retry_after, self._config.retry_after_max)
                with self._lock:
                    self._ask_from = max(self._ask_from, time.monotonic() + patience)
            logger.warning("%s: %s; %s, which it named before, is tried again", agent_id, error, self._server)
            return known
        with self._lock:
            if self._client is None or server != self._server:
                logger.info("%s: the access point names the heartbeat server %s", agent_id, server)
                self._server, self._client = server, self._client_of(server)
            return self._client


def _checked(agent_id: str, credentials: Credentials | None) -> Credentials:
    if credentials is None:
        raise ConfigError("no credentials: give credentials=Credentials.load(folder, agent_id, password=…)")
    if credentials.agent_id != agent_id:
        raise ConfigError(
            f"the credentials are those of {credentials.agent_id}, not of {agent_id}: load the right ones"
        )
    return credentials


def _timeouts(config: Config) -> Timeouts:
    return Timeouts(config.connect_timeout, config.read_timeout, config.sign_in_timeout)
