"""What the two faces of a connection share: everything except how a caller waits."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, NoReturn, TypeVar, Unpack

from agentcp_fsm.connection import attachment
from agentcp_fsm.connection.attachment import Attachment
from agentcp_fsm.connection.authenticators import over_http
from agentcp_fsm.connection.driver import Driver
from agentcp_fsm.connection.handlers import Handler, Handlers, Job, Kind
from agentcp_fsm.connection.health import Health, health_of
from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.connection.observing import Observer
from agentcp_fsm.connection.protocols import Authenticator, OnlineStateSource
from agentcp_fsm.errors import ConfigError, ConnectionStateError
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.events import Reconnect, RetryNow
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.sign_in import ClientOptions, Credentials
from agentcp_fsm.support import forking
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.quoting import name_of
from agentcp_fsm.wire import codec_named

STOP_MARGIN = 3.0
"""Seconds that `stop` waits at most beyond the configured sign-out time."""

InviteHandler = TypeVar("InviteHandler", bound=Callable[[Invitation], Any])
TransitionHandler = TypeVar("TransitionHandler", bound=Callable[[ReportTransition], Any])
ErrorHandler = TypeVar("ErrorHandler", bound=Callable[[str], Any])

_jitter = Random()  # noqa: S311 - it spreads load and keeps no secret


class Face(ABC):
    """The methods that `Connection` and `AsyncConnection` share."""

    __slots__ = ("__weakref__", "_attachment", "agent_id")

    def __init__(
        self,
        agent_id: str,
        server_url: str | None = None,
        *,
        credentials: Credentials | None = None,
        access_point: str | None = None,
        config: Config | None = None,
        codec: str = "agentcp",
        authenticator: Authenticator | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.agent_id = agent_id
        config = config or Config()
        datagrams = codec_named(codec)
        datagrams.heartbeat_encoder(agent_id, 0)  # raises for an agent id that no datagram can carry
        if options:
            _check_names(type(self).__name__, options)
        authenticator_on: Callable[[Hub], Authenticator]
        if authenticator is None:
            authenticator_on = over_http(agent_id, server_url, access_point, credentials, config, options)
        else:
            given = {"server_url": server_url, "credentials": credentials, "access_point": access_point, **options}
            if superfluous := [name for name, value in given.items() if value is not None]:
                raise ConfigError(
                    f"authenticator={name_of(authenticator)} signs in by itself: leave out {superfluous[0]}"
                )
            authenticator_on = lambda hub: authenticator  # noqa: E731
        self._attachment = Attachment(
            lambda listener: Driver(agent_id, config, _jitter, datagrams, authenticator_on, listener),
            self._hold_hub,
            Handlers(agent_id, self._job),
        )

    def __repr__(self) -> str:
        server = self._driver.server
        shown = f"{self.agent_id}: {self.state}, {f'server {server}' if server else 'no server'}"
        return f"<{type(self).__name__} {printable(shown)}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{self!r} cannot be copied or pickled: it has a socket; make another with the same arguments")

    @property
    def state(self) -> State:
        """The state right now."""
        return self._driver.lifecycle.state

    @property
    def config(self) -> Config:
        """The configuration that the connection was made with."""
        return self._driver.lifecycle.config

    def fileno(self) -> int | None:
        """The descriptor of the UDP socket, if there is one; for tools and tests."""
        return self._driver.fileno()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that serves the connection; None at rest.  Other threads post to it, and do nothing else."""
        lease = self._lease()
        return None if lease is None else lease.hub.loop

    @property
    def session(self) -> Session | None:
        """The session in which heartbeats are sent, with its secrets, cookie and token; None without one."""
        return self._driver.lifecycle.session

    @property
    def local_address(self) -> tuple[str, int] | None:
        """The IP address and the UDP port that heartbeats come from; None without a socket."""
        return self._driver.local_address

    def health(self) -> Health:
        """How the connection is, from any thread, without waiting."""
        self._lease()
        return health_of(self._attachment)

    def on_invite(self, handler: InviteHandler) -> InviteHandler:
        """Have `handler` called with each `Invitation`; also a decorator.

        Handlers are called in order, away from the heartbeats: they may take their time and may raise.
        """
        self._add_handler("invite", handler)
        return handler

    def on_transition(self, handler: TransitionHandler) -> TransitionHandler:
        """Have `handler` called with each `ReportTransition` (.source .dest .trigger .reason .detail .at .lost); also a
        decorator.
        """
        self._add_handler("transition", handler)
        return handler

    def on_error(self, handler: ErrorHandler) -> ErrorHandler:
        """Have `handler` called with the text of each error that retrying will not mend; also a decorator."""
        self._add_handler("error", handler)
        return handler

    def observe(self, observer: Observer) -> None:
        """Have `observer` see every event and its effects, in the loop: a recorder or a meter.  It must not block."""
        driver, lease = self._driver, self._lease()
        if lease is None or not lease.hub.post(partial(driver.observe, observer)):
            driver.observe(observer)

    def unobserve(self, observer: Observer) -> None:
        """Have `observer` see no more; without effect if it does not."""
        driver, lease = self._driver, self._lease()
        if lease is None or not lease.hub.post(partial(driver.unobserve, observer)):
            driver.unobserve(observer)

    def _add_handler(self, kind: Kind, handler: Handler) -> None:
        self._attachment.handlers.add(kind, handler)

    def start(self) -> None:
        """Become reachable, and stay so until `stop`; returns at once, and does nothing if started already."""
        self._lease()
        self._attachment.start()

    def reconnect(self) -> None:
        """Drop what there is and sign in again; without effect unless started.  Returns at once."""
        self._driver.post(Reconnect())

    def retry_now(self) -> None:
        """End a backoff early, as far as the least time between sign-ins allows.  Returns at once."""
        self._driver.post(RetryNow())

    def _online_state_query(self, agents: Sequence[str]) -> Callable[[Abandonment], list[Any]]:
        """The call that asks for the online state of `agents` in the present session, ready to be made in a thread."""
        listed = isinstance(agents, Sequence) and not isinstance(agents, str)
        if not listed or not all(isinstance(agent, str) for agent in agents):
            raise ConfigError(f"{agents!r} is no list of agent ids: give one such as ['alice.agentid.pub']")
        lease, session = self._lease(), self.session
        if lease is None or session is None:
            raise ConnectionStateError(
                f"there is no session to ask in while the connection is {self.state}: wait until it is {State.ONLINE}"
            )
        if not isinstance(lease.authenticator, OnlineStateSource):
            raise ConfigError(
                f"the authenticator {name_of(lease.authenticator)} cannot ask for online states: give it a"
                " query_online_state"
            )
        return partial(lease.authenticator.query_online_state, session, agents)

    @property
    def _driver(self) -> Driver:
        self._lease()
        return self._attachment.driver

    # The differences --------------------------------------------------------------------------------------------------

    def _lease(self) -> Lease | None:
        """The present stay at a hub, if the connection is attached to a loop of this process that can still run."""
        forking.notice()
        return self._attachment.lease

    @staticmethod
    @abstractmethod
    def _hold_hub() -> Hub:
        """The hub that serves this face, held once more."""

    @staticmethod
    @abstractmethod
    def _job(handler: Handler, argument: object, loop: asyncio.AbstractEventLoop) -> Job:
        """What runs `handler`, on the connection's own worker."""


def _check_names(face: str, options: ClientOptions) -> None:
    """Raise TypeError for an option that there is not, as Python does for other arguments."""
    known = ClientOptions.__annotations__
    for name in options:
        if name not in known:
            raise TypeError(f"{face}() got an unexpected keyword argument {name!r}; its options are {', '.join(known)}")


def _forget_in_child() -> None:
    _jitter.seed()  # or the processes forked from one would all draw the same, and come back at the same moment
    attachment.forget_in_child()


forking.in_child(forking.Stage.CONNECTIONS, _forget_in_child)
