"""The two faces of a connection: `Connection` for threaded programs, `AsyncConnection` for asyncio ones.

They share their names and everything that happens; they differ in how a caller waits.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakSet

from agentcp_fsm.connection.driver import Authenticator, Driver
from agentcp_fsm.connection.hub import JOIN_TIMEOUT, Background, Hub, background, of_loop
from agentcp_fsm.connection.workers import HandlerQueue
from agentcp_fsm.errors import ConfigError, ConnectionStateError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.events import Reconnect, RetryNow, Start, Stop
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.lifecycle.statistics import Statistics
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.wire import Codec, codec_named

if TYPE_CHECKING:
    from typing import Unpack

    from agentcp_fsm.sign_in import AuthClient, ClientOptions, Credentials

logger = logger_of(__name__)

HANDLER_QUEUE_LIMIT = 1024
"""How many calls of a connection's handlers may wait."""
HANDLER_RETRY = 1.0
"""Seconds after which it is tried again to start a thread for handlers, if the system had none."""
LOOP_CHECK = 1.0
"""Seconds between two looks whether the loop of a handler's coroutine is still there."""
STOP_MARGIN = 3.0
"""Seconds that `stop` waits at most beyond the configured sign-out time."""

Handler = TypeVar("Handler", bound=Callable[..., Any])
InviteHandler = TypeVar("InviteHandler", bound=Callable[[Invitation], Any])
TransitionHandler = TypeVar("TransitionHandler", bound=Callable[[ReportTransition], Any])
ErrorHandler = TypeVar("ErrorHandler", bound=Callable[[str], Any])

_jitter = Random()  # noqa: S311 - it spreads load and keeps no secret


@dataclass(frozen=True, slots=True)
class Health:
    """How a connection is, at one moment.  Durations are seconds."""

    state: State
    reason: str
    """Why it is in this state: the last transition's reason, with its detail."""
    since: float | None
    """How long it has been in this state; None before it was started."""
    last_answer: float | None
    """How long ago the server last answered a heartbeat; None if it never did."""
    interval: float | None
    """The time between heartbeats; None before the first answer."""
    sequence: int
    """MessageSeq of the last datagram sent; 0 before the first."""
    answer_sequence: int | None
    """MessageSeq of the last heartbeat response, if there was one since the start: that of a heartbeat sent, if the
    server echoes it, which it need not."""
    unanswered: int
    """Heartbeats sent since the last answer."""
    server: str | None
    """Where heartbeats go, ``host:port``; None without a session."""
    next_action: float | None
    """In how much time the connection does something by itself; None at rest."""
    dropped: int
    """Calls of handlers that were dropped because too many waited."""
    statistics: Statistics
    """What was counted so far."""

    @property
    def reachable(self) -> bool:
        """Whether invitations can be expected to arrive: the server knows the session."""
        return self.state in (State.ONLINE, State.DEGRADED)


class _Face(ABC):
    """What both faces share: all but how they wait."""

    __slots__ = (
        "__weakref__",
        "_authenticator_on",
        "_codec",
        "_driver",
        "_handlers",
        "_last",
        "_lifecycle",
        "_lock",
        "_queue",
        "_retrying",
        "_starting",
        "_stops",
        "_waiters",
        "agent_id",
    )

    def __init__(
        self,
        agent_id: str,
        server_url: str | None = None,
        *,
        credentials: Credentials | None = None,
        config: Config | None = None,
        codec: str = "agentcp",
        client: AuthClient | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        config = config or Config()
        authenticator_on: Callable[[Hub], Authenticator]
        if authenticator is None:
            from agentcp_fsm.connection.authenticators import (
                HttpSignIn,  # here, as it brings requests and cryptography along
            )

            authenticator_on = HttpSignIn.of(agent_id, server_url, credentials, client, config).on
        else:
            authenticator_on = lambda hub: authenticator  # noqa: E731
        self._set_up(agent_id, config, codec, authenticator_on)

    @classmethod
    def discover(
        cls,
        agent_id: str,
        *,
        credentials: Credentials,
        access_point: str | None = None,
        config: Config | None = None,
        codec: str = "agentcp",
        **options: Unpack[ClientOptions],
    ) -> Self:
        """A connection that finds its heartbeat server through the agent's access point.

        Returns at once: the access point is asked as part of signing in, and asked again when nothing comes of the
        server that it named.  ``access_point`` is a name such as agentid.pub, or a URL; without it, the agent id's last
        two labels are the name.  The other options are those of `AuthClient`, for access point and server alike, but
        for ``server_name``, which is the server's.
        """
        from agentcp_fsm.connection.authenticators import DiscoveredSignIn  # here, as in `__init__`

        config = config or Config()
        sign_in = DiscoveredSignIn.of(agent_id, credentials, access_point, config, options)
        made = cls.__new__(cls)
        made._set_up(agent_id, config, codec, sign_in.on)
        return made

    def _set_up(
        self, agent_id: str, config: Config, codec: str, authenticator_on: Callable[[Hub], Authenticator]
    ) -> None:
        self.agent_id = agent_id
        self._codec: Codec = codec_named(codec)
        self._codec.heartbeat_encoder(agent_id, 0)  # raises for an agent id that no datagram can carry
        self._authenticator_on = authenticator_on
        self._lifecycle = Lifecycle(config, _jitter)
        self._last: ReportTransition | None = None
        self._handlers: dict[str, list[Callable[[Any], Any]]] = {}
        self._clean_slate()

    def _clean_slate(self) -> None:
        """Nothing is held, nobody waits."""
        self._lock = threading.RLock()
        self._queue: HandlerQueue | None = None
        self._driver: Driver | None = None
        self._retrying = False
        self._starting = 0
        self._stops: list[Callable[[], None]] = []
        """Whom to tell that the stopping under way is over; the loop's alone."""
        self._waiters: dict[object, tuple[frozenset[State], Callable[[], None]]] = {}
        """Without a lock, each use of it being one step: a signal's handler may call `stop` at any moment."""

    # What an application asks -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state right now."""
        self._present_driver()
        return self._lifecycle.state

    @property
    def config(self) -> Config:
        """The configuration that the connection was made with."""
        return self._lifecycle.config

    def fileno(self) -> int | None:
        """The descriptor of the UDP socket, if there is one: for tools and tests; nobody else needs it."""
        return None if (driver := self._present_driver()) is None else driver.fileno()

    def health(self) -> Health:
        """How the connection is, from any thread, without waiting."""
        driver = self._present_driver()
        machine = self._lifecycle
        now = time.monotonic()
        last = self._last
        online = machine.statistics.answers > 0
        session = machine.session
        deadline = machine.deadline
        return Health(
            state=machine.state,
            reason="" if last is None else last.reason + (f" ({last.detail})" if last.detail else ""),
            since=None if last is None else now - last.at,
            last_answer=now - machine.answered_at if online else None,
            interval=machine.interval if online else None,
            sequence=machine.sequence,
            answer_sequence=None if driver is None else driver.answer_sequence,
            unanswered=machine.unanswered,
            server=None if session is None else f"{session.host}:{session.port}",
            next_action=None if machine.state is State.OFFLINE else max(deadline - now, 0.0),
            dropped=0 if self._queue is None else self._queue.dropped,
            statistics=replace(machine.statistics),
        )

    def on_invite(self, handler: InviteHandler) -> InviteHandler:
        """Have `handler` called with each `Invitation`; also a decorator.

        Handlers are called in order, away from the heartbeats: they may take their time and may raise.
        """
        return self._add_handler("invite", handler)

    def on_transition(self, handler: TransitionHandler) -> TransitionHandler:
        """Have `handler` called with each transition (.source .dest .trigger .reason .detail .at); also a decorator."""
        return self._add_handler("transition", handler)

    def on_error(self, handler: ErrorHandler) -> ErrorHandler:
        """Have `handler` called with the text of each error that retrying will not mend; also a decorator."""
        return self._add_handler("error", handler)

    def _add_handler(self, kind: str, handler: Handler) -> Handler:
        if not callable(handler):
            raise ConfigError(f"{handler!r} cannot be a handler: give something callable with one argument")
        self._handlers.setdefault(kind, []).append(handler)  # each one step, for there may be other threads
        return handler

    def start(self) -> None:
        """Become reachable, and stay so until `stop`; returns at once, and does nothing if started already."""
        self._present_driver()
        with self._lock:
            if self._driver is None:
                if self._starting:
                    return  # by this very thread, which is in a signal's handler now
                self._starting += 1
                try:
                    driver = self._make_driver()
                    driver.hub.post(self._begin)
                except BaseException:
                    self._starting -= 1
                    raise
                self._driver = driver  # last: who calls `stop` finds nothing yet, or what has begun
                return
            self._starting += 1
            driver = self._driver
        driver.hub.post(self._begin)

    def _make_driver(self) -> Driver:
        hub = self._hold_hub()
        _held.add(self)
        try:
            return Driver(self.agent_id, self._lifecycle, self._authenticator_on(hub), self._codec, hub, self)
        except BaseException:
            hub.release()
            raise

    def _begin(self) -> None:
        with self._lock:
            self._starting -= 1
            driver = self._driver
        if driver is not None:
            driver.feed(Start())

    def reconnect(self) -> None:
        """Drop what there is and sign in again; without effect unless started.  Returns at once."""
        if (driver := self._present_driver()) is not None:
            driver.post(Reconnect())

    def retry_now(self) -> None:
        """End a backoff early, as far as the least time between sign-ins allows.  Returns at once."""
        if (driver := self._present_driver()) is not None:
            driver.post(RetryNow())

    def _online_state_query(self, agents: Sequence[str]) -> Callable[[Abandonment], list[Any]]:
        """The call that asks for the online state of `agents` in the present session, ready to be made in a thread."""
        listed = isinstance(agents, Sequence) and not isinstance(agents, str)
        if not listed or not all(isinstance(agent, str) for agent in agents):
            raise ConfigError(f"{agents!r} is no list of agent ids: give one such as ['alice.agentid.pub']")
        driver, session = self._present_driver(), self._lifecycle.session
        if driver is None or session is None:
            raise ConnectionStateError(
                f"there is no session to ask in while the connection is {self.state}: wait until it is {State.ONLINE}"
            )
        query = getattr(driver.authenticator, "query_online_state", None)
        if query is None:
            raise ConfigError(f"{driver.authenticator!r} cannot ask for online states: give it a query_online_state")
        return partial(query, session, agents)

    def _present_driver(self) -> Driver | None:
        """What carries the machine's effects out, if there is something that still can."""
        return self._driver

    def _forget(self) -> None:
        """Be at rest without a word: what there was belongs to a loop that is gone, or to another process."""
        if (driver := self._driver) is not None:
            driver.abandon()
        self._lifecycle = Lifecycle(self.config, _jitter)
        self._last = None
        self._clean_slate()

    # What the driver tells, in the loop -------------------------------------------------------------------------------

    def transitioned(self, transition: ReportTransition) -> None:
        """The driver's word of a transition."""
        self._last = transition
        lost = self._lifecycle.statistics.last_loss is transition
        logger.log(
            logging.WARNING if lost else logging.INFO,
            "%s: %s → %s: %s%s",
            self.agent_id,
            transition.source,
            transition.dest,
            transition.reason,
            f" ({transition.detail})" if transition.detail else "",
        )
        self._call("transition", transition)
        self._notify(self._lifecycle.state)
        if transition.source == State.STOPPING and self._driver is not None:
            self._driver.hub.loop.call_soon(self._let_go)

    def invited(self, invitation: Invitation) -> None:
        """The driver's word of an invitation."""
        if "invite" not in self._handlers:
            logger.warning("%s: an invitation from %s finds no handler", self.agent_id, invitation.inviter_agent_id)
        self._call("invite", invitation)

    def failed(self, reason: str) -> None:
        """The driver's word of something that needs a person."""
        logger.error("%s: %s", self.agent_id, reason)
        self._call("error", reason)

    def _call(self, kind: str, argument: object) -> None:
        for handler in tuple(self._handlers.get(kind, ())):
            if self._queue is None:
                self._queue = HandlerQueue(HANDLER_QUEUE_LIMIT)
            if not self._queue.submit(self._job(handler, argument)) and not self._retrying:
                self._retry_handlers_later()

    def _retry_handlers_later(self) -> None:
        """The system has no thread for handlers now; what they are to be called with must not wait for ever."""
        self._retrying = (driver := self._driver) is not None
        if driver is not None:
            driver.hub.loop.call_later(HANDLER_RETRY, self._retry_handlers)

    def _retry_handlers(self) -> None:
        self._retrying = False
        if self._queue is not None and not self._queue.see_to_it():
            self._retry_handlers_later()

    def _let_go(self) -> None:
        """At rest, nothing of the loop is needed, unless a start came meanwhile; either way, stopping is over."""
        with self._lock:
            driver = self._driver
            if driver is None or self._starting or self._lifecycle.state is not State.OFFLINE:
                driver = None
            else:
                self._driver = None
                driver.closed = True
        if driver is not None:
            driver.hub.release()
        stops, self._stops = self._stops, []
        for notify in stops:
            notify()

    def _begin_to_stop(self, driver: Driver, notify: Callable[[], None]) -> None:
        """Stop, in the loop, so that `notify` is not called for the end of an earlier stop."""
        if driver.closed:
            notify()
            return
        self._stops.append(notify)
        if self._lifecycle.state is State.OFFLINE:
            self._let_go()
        else:
            driver.feed(Stop())

    # Waiting ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _waiter(self, states: frozenset[State], notify: Callable[[], None]) -> Iterator[None]:
        """Have `notify` called in the loop whenever one of `states` is entered."""
        key = object()
        self._waiters[key] = (states, notify)
        try:
            yield
        finally:
            self._waiters.pop(key, None)  # a fork has none left

    def _notify(self, state: State) -> None:
        for states, notify in tuple(self._waiters.values()):
            if state in states:
                notify()

    # The differences --------------------------------------------------------------------------------------------------

    @abstractmethod
    def _hold_hub(self) -> Hub:
        """The hub that serves this face, held once more."""

    @abstractmethod
    def _job(self, handler: Callable[[Any], Any], argument: object) -> Callable[[], None]:
        """What runs `handler`, on the connection's own worker."""


class _Latch:
    """What one thread waits for, once.

    Unlike with a `threading.Event`, which has a lock of its own, every step is one step of a lock: the handler of a
    signal never finds it half waited for, and may itself wait for the loop meanwhile.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        with suppress(RuntimeError):  # it is open already
            self._lock.release()

    def wait(self, timeout: float | None) -> bool:
        return self._lock.acquire(timeout=-1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX))


class Connection(_Face):
    """A connection for threaded programs.

    One background thread serves all of a process.  Every method may be called from any thread, also from a handler.
    As a context manager it starts, and stops on the way out.

    Raises ConfigError, CredentialsError or WireError at once for what cannot work; nothing raises later.
    """

    __slots__ = ()

    def wait_for(self, *states: State | str, timeout: float | None = None) -> bool:
        """Wait until one of `states` is entered, at most `timeout` seconds; False if it was not.

        True at once if the connection is in one of them.  Raises ConfigError for something that is no state.
        """
        wanted = _states(states)
        entered = _Latch()
        with self._waiter(wanted, entered.open):
            return self.state in wanted or entered.wait(timeout)

    def query_online_state(self, agents: Sequence[str]) -> list[Any]:
        """Ask the server which of `agents` are online; blocks, and returns the server's list as it came.

        Raises SignInError if the server does not answer properly, ConnectionStateError without a session, ConfigError
        for what is no list of agent ids.
        """
        return self._online_state_query(agents)(Abandonment())

    def stop(self, timeout: float | None = None) -> bool:
        """Sign out and come to rest; returns when that is done, within `timeout` seconds (by default 3 s beyond the
        configured sign-out time).  Does nothing if stopped already.

        True if the connection is at rest: no socket, no sign-in, nothing scheduled.  False if it is not in time, or
        somebody started it again meanwhile.  A handler that does not return is not waited for.
        """
        if (driver := self._driver) is not None:
            hub = driver.hub
            over = _Latch()
            posted = hub.post(partial(self._begin_to_stop, driver, over.open))
            if isinstance(hub, Background) and threading.current_thread() is hub.thread:
                return False  # the loop cannot wait for itself
            if timeout is None:
                timeout = self.config.stop_bound + STOP_MARGIN
            if not driver.closed:  # else the loop may have ended with it, and never come to what was posted
                over.wait(timeout if posted else 0)  # a loop that is gone, as at exit, tells nothing more
            if not driver.closed:
                return False
            if isinstance(hub, Background) and hub.ended:
                hub.join()
        if self._queue is not None:
            self._queue.join(JOIN_TIMEOUT)
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hold_hub(self) -> Hub:
        return background()

    def _add_handler(self, kind: str, handler: Handler) -> Handler:
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
            raise ConfigError(
                f"{handler!r} is a coroutine function, which nothing here would run: give a plain function, or use"
                " AsyncConnection"
            )
        return super()._add_handler(kind, handler)

    def _job(self, handler: Callable[[Any], Any], argument: object) -> Callable[[], None]:
        return partial(handler, argument)


class AsyncConnection(_Face):
    """A connection for asyncio programs, served by the loop that is running when it is started.

    The names are those of `Connection`; what waits is a coroutine.  Handlers may be coroutine functions.  To be used
    from that loop's thread.  As an async context manager it starts, and stops on the way out.  If the loop is closed
    without a stop, the connection is at rest, though never signed out, and may be started in another.
    """

    __slots__ = ("_loop",)

    def start(self) -> None:
        """Become reachable, and stay so until `stop`; see `Connection.start`.

        Raises ConnectionStateError outside a running loop, or if another one that is not closed has the connection.
        """
        self._own_driver()
        super().start()

    async def wait_for(self, *states: State | str, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in Connection
        """Wait until one of `states` is entered, at most `timeout` seconds; False if it was not.

        True at once if the connection is in one of them.  Raises ConfigError for something that is no state.
        """
        wanted = _states(states)
        entered = asyncio.Event()
        with self._waiter(wanted, entered.set):
            return self.state in wanted or await _happened(entered, timeout)

    async def query_online_state(self, agents: Sequence[str]) -> list[Any]:
        """Ask the server which of `agents` are online; see `Connection.query_online_state`."""
        abandonment = Abandonment()
        try:
            return await asyncio.to_thread(self._online_state_query(agents), abandonment)
        finally:
            abandonment.abandon()  # cancelled, nobody waits for it

    async def stop(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in Connection
        """Sign out and come to rest; see `Connection.stop`."""
        if (driver := self._own_driver()) is None:
            return True
        over = asyncio.Event()
        driver.hub.post(partial(self._begin_to_stop, driver, over.set))  # not at once: a start before it comes first
        await _happened(over, self.config.stop_bound + STOP_MARGIN if timeout is None else timeout)
        return driver.closed

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _present_driver(self) -> Driver | None:
        driver = self._driver
        if driver is not None and driver.hub.loop.is_closed():
            driver.closed = True
            self._forget()
            driver.hub.release()
            return None
        return driver

    def _own_driver(self) -> Driver | None:
        driver = self._present_driver()
        if driver is not None and asyncio._get_running_loop() not in (None, driver.hub.loop):
            raise ConnectionStateError(
                f"the connection of {self.agent_id} belongs to another event loop: stop it there, or close that loop"
            )
        return driver

    def _hold_hub(self) -> Hub:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConnectionStateError(
                "an AsyncConnection is started inside a running event loop; elsewhere, use Connection"
            ) from None
        return of_loop(self._loop)

    def _job(self, handler: Callable[[Any], Any], argument: object) -> Callable[[], None]:
        return partial(_run_handler, handler, argument, self._loop)


def _run_handler(handler: Callable[[Any], Any], argument: object, loop: asyncio.AbstractEventLoop) -> None:
    """Call a handler; if it makes a coroutine, have the loop run that and wait for it here: they stay in order."""
    coroutine = handler(argument)
    if not inspect.iscoroutine(coroutine):
        return
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:  # the loop was closed: there is nowhere to run it
        coroutine.close()
        return
    while not wait((future,), LOOP_CHECK).done:
        if loop.is_closed():  # in the middle of it, or before it began: nobody ends it
            return
    future.result()


async def _happened(event: asyncio.Event, timeout: float | None) -> bool:  # noqa: ASYNC109 - as in Connection
    try:
        await asyncio.wait_for(event.wait(), timeout)
    except TimeoutError:
        return False
    return True


def _states(states: tuple[State | str, ...]) -> frozenset[State]:
    for state in states:
        if state not in State.__members__:
            raise ConfigError(f"{state!r} is no state; wait for one or more of {', '.join(State)}")
    if not states:
        raise ConfigError(f"no state given; wait for one or more of {', '.join(State)}")
    return frozenset(State(state) for state in states)


_held: WeakSet[_Face] = WeakSet()
"""The connections that were started, so that a forked child can put its copies to rest."""


def _forget_in_child() -> None:
    _jitter.seed()  # or the processes forked from one would all draw the same, and come back at the same moment
    for connection in list(_held):
        connection._forget()
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
