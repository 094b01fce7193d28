"""The face of a connection for threaded programs."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from agentcp_fsm.connection.face import STOP_MARGIN, Face
from agentcp_fsm.connection.handlers import Handler, Job, Kind
from agentcp_fsm.connection.hub import JOIN_TIMEOUT, Background, Hub, background
from agentcp_fsm.connection.waiting import checked_states
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.support import forking, signals
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.latch import Latch


class Connection(Face):
    """A connection for threaded programs.

    One background thread serves all connections of a process.  Every method may be called from any thread, also from a
    handler.  As a context manager a connection starts, and stops on the way out.

    The arguments:

    - ``server_url``: the heartbeat server's.  Without it, the agent's access point is asked for the server as part of
      signing in, and again when nothing comes of the server that it named.
    - ``credentials``: the agent's; needed unless there is an ``authenticator``.
    - ``access_point``: a name such as agentid.pub, or a URL; without it, the agent id's last two labels are the name.
    - ``config``: thresholds and timings; ``codec``: the name of the datagrams' form.
    - ``authenticator``: an object of your own that signs in and out, in place of all the others but these two.
    - the options of `AuthClient`: ``verify``, ``allow_insecure_http``, ``server_proof``, ``trust_roots``,
      ``server_name``, ``allow_insecure_any_server_name`` and ``allow_insecure_private_issuers``.  They hold for access
      point and server alike, except ``server_name``, which is the server's.

    Raises ConfigError, CredentialsError or WireError at once for what cannot work; nothing raises later.
    """

    __slots__ = ()

    def start(self) -> None:
        """Become reachable, and stay so until `stop`; returns at once, and does nothing if started already."""
        signals.uninterrupted(super().start)

    def wait_for(self, *states: State | str, timeout: float | None = None) -> bool:
        """Wait until one of `states` is entered, at most `timeout` seconds; False if it was not.

        True at once if the connection is in one of them.  A `start` counts at once: after it, OFFLINE means that the
        connection was stopped, or gave up.  Raises ConfigError for something that is no state.
        """
        wanted = checked_states(states)
        self._lease()
        entered = Latch()
        with self._attachment.waiters.waiting(wanted, entered.open):
            return self._attachment.is_in(wanted) or entered.wait(timeout)

    def query_online_state(self, agents: Sequence[str]) -> list[Any]:
        """Ask the server which of `agents` are online; blocks, and returns the server's list as it came.

        Raises SignInError if the server does not answer properly, ConnectionStateError without a session, ConfigError
        for something that is no list of agent ids.
        """
        return self._online_state_query(agents)(Abandonment())

    def stop(self, timeout: float | None = None) -> bool:
        """Sign out and come to rest; returns when that is done, within `timeout` seconds (by default 3 s beyond the
        configured sign-out time).  Does nothing if stopped already.

        True if the connection is at rest: no socket, no sign-in, nothing scheduled.  False if it is not in time, was
        started again meanwhile, or the system has no thread for the sign-out.  At the interpreter's exit it needs none:
        a handler of `atexit` may call this.  A handler that does not return is not waited for.
        """
        forking.notice()
        if (lease := self._attachment.settled_lease) is not None:
            hub = lease.hub
            if isinstance(hub, Background):
                hub.wake()
            over = Latch()
            posted = self._attachment.post_stop(lease, over.open)
            if isinstance(hub, Background) and threading.current_thread() is hub.thread:
                return False  # the loop cannot wait for itself
            if timeout is None:
                timeout = self.config.stop_bound + STOP_MARGIN
            if not lease.is_over:  # else the loop may have ended with it, and never come to what was posted
                over.wait(timeout if posted else 0)  # a loop that is gone, as at exit, reports nothing more
            if not lease.is_over:
                return False
            if isinstance(hub, Background) and hub.ended:
                hub.join()
            if lease.is_unsaid:
                return False
        self._attachment.handlers.join(JOIN_TIMEOUT)
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _hold_hub() -> Hub:
        return background()

    def _add_handler(self, kind: Kind, handler: Handler) -> None:
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
            raise ConfigError(
                f"{handler!r} is a coroutine function, which nothing here would run: give a plain function, or use"
                " AsyncConnection"
            )
        super()._add_handler(kind, handler)

    @staticmethod
    def _job(handler: Handler, argument: object, loop: asyncio.AbstractEventLoop) -> Job:
        return partial(handler, argument)
