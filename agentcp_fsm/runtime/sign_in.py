"""How a connection signs in over HTTP: an agent's credentials and a client of its server, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentcp_fsm.auth import Abandonment, AuthClient, Credentials, Timeouts, Transport
from agentcp_fsm.config import Config
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.runtime.hub import Hub
from agentcp_fsm.session import Session


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
        if credentials is None:
            raise ConfigError("no credentials: give credentials=Credentials.load(folder, agent_id, password=…)")
        if credentials.agent_id != agent_id:
            raise ConfigError(
                f"the credentials are those of {credentials.agent_id}, not of {agent_id}: load the right ones"
            )
        if (server_url is None) is (client is None):
            raise ConfigError("give either the server's URL or a client=AuthClient(url, …) with options of its own")
        timeouts = Timeouts(config.connect_timeout, config.read_timeout, config.sign_in_timeout)
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
    """`agentcp_fsm.runtime.Authenticator` over HTTP."""

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
