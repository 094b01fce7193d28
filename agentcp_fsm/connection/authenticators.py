"""How a connection signs in over HTTP: an agent's credentials and a client of its server, put together.

The server is given (`HttpAuthenticator`), or found through the agent's access point (`DiscoveringAuthenticator`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.protocols import Authenticator
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
from agentcp_fsm.support import clock
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.support.quoting import shown_url

logger = logger_of(__name__)

EXAMPLE = "https://heartbeat.example"
"""A server's URL that works, to try options with."""
SESSIONS_REMEMBERED = 8
"""How many of the latest sessions are signed out where they came from: a server may be left before the sign-out.  Each
attempt has one session at most, so these are far more than can be waiting."""


def over_http(
    agent_id: str,
    server_url: str | None,
    access_point: str | None,
    credentials: Credentials | None,
    config: Config,
    options: ClientOptions,
) -> Callable[[Hub], Authenticator]:
    """Return what makes the authenticator of an agent on a hub; HTTP connections are shared by all agents of the hub.

    With a URL it is that server's; without one, that of the server which the agent's access point names.  Raises
    ConfigError for what cannot work, before anything is begun.
    """
    credentials = _checked(agent_id, credentials)
    timeouts = Timeouts(config.connect_timeout, config.read_timeout, config.sign_in_timeout)

    def client_of(url: str, hub: Hub) -> AuthClient:
        return AuthClient(url, timeouts=timeouts, transport=hub.shared(Transport), **options)

    if server_url is not None:
        if access_point is not None:
            raise ConfigError(
                f"server_url={shown_url(server_url)!r} and access_point={shown_url(access_point)!r} exclude each other:"
                " an access point is asked only when no server is given"
            )
        AuthClient(server_url, **options).close()  # raises for what cannot work
        return lambda hub: HttpAuthenticator(credentials, client_of(server_url, hub), config.sign_out_timeout)
    url = access_point_url(agent_id, access_point)
    for client in (AccessPointClient(url, **options), AuthClient(EXAMPLE, **options)):  # raises as above
        client.close()

    def discovering_on(hub: Hub) -> Authenticator:
        # The access point gets half of an attempt's time: if it is of no help, the other half is for the known server.
        half = replace(timeouts, total=timeouts.total / 2)
        access_point = AccessPointClient(url, timeouts=half, transport=hub.shared(Transport), **options)
        return DiscoveringAuthenticator(credentials, access_point, lambda server: client_of(server, hub), config)

    return discovering_on


@dataclass(slots=True)
class HttpAuthenticator:
    """`agentcp_fsm.connection.Authenticator` over HTTP, at one server."""

    credentials: Credentials
    client: AuthClient
    sign_out_timeout: float

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session; raises SignInError."""
        self.credentials = self.credentials.renewed()
        return self.client.sign_in(self.credentials, abandonment)

    def sign_out(self, session: Session) -> None:
        """End a session; raises SignInError."""
        self.client.sign_out(self.credentials.agent_id, session, timeout=self.sign_out_timeout)

    def query_online_state(self, session: Session, agents: Sequence[str], abandonment: Abandonment) -> list[Any]:
        """Ask which of `agents` are online; raises SignInError."""
        return self.client.query_online_state(self.credentials.agent_id, session, agents, abandonment)


class DiscoveringAuthenticator:
    """`agentcp_fsm.connection.Authenticator` over HTTP, which asks the agent's access point for the server.

    The server is asked for when none is known, and when the last attempt with the known one came to nothing, because
    it may have moved for good: but not more often than `Config.discovery_interval_min` says, nor before a Retry-After;
    and if the access point does not help, the known server is tried anyway.  So a server that restarts costs its
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
        """When the access point may be asked again, in seconds of `agentcp_fsm.support.clock`."""
        self._clients: dict[Session, AuthClient] = {}
        """Where the latest sessions are from."""

    def sign_in(self, abandonment: Abandonment) -> Session:
        """Obtain a session; raises SignInError."""
        self._credentials = self._credentials.renewed()
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
            known, now = self._client, clock.now()
            ask = known is None or (self._doubted and now >= self._ask_from)
            self._doubted = True
            if ask:  # with or without success: an access point that never answers must not be asked each time
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
                    self._ask_from = max(self._ask_from, clock.now() + patience)
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
