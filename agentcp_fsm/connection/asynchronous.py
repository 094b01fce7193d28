"""The face of a connection for asyncio programs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

from agentcp_fsm.connection.face import STOP_MARGIN, Face
from agentcp_fsm.connection.handlers import Handler, Job
from agentcp_fsm.connection.hub import Hub, of_loop
from agentcp_fsm.connection.lease import Lease
from agentcp_fsm.connection.waiting import checked_states
from agentcp_fsm.errors import ConnectionStateError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.support.abandonment import Abandonment

LOOP_CHECK = 1.0
"""Seconds between two looks whether the loop of a handler's coroutine is still there."""


class AsyncConnection(Face):
    """A connection for asyncio programs, served by the loop that is running when it is started.

    Names and arguments are those of `Connection`; methods that wait are coroutines.  Handlers may be coroutine
    functions.  Use it from that loop's thread.  As an async context manager it starts, and stops on the way out.  If
    the loop is closed without a stop, the connection is at rest, though never signed out, and may be started in another
    loop.
    """

    __slots__ = ()

    def start(self) -> None:
        """Become reachable, and stay so until `stop`; see `Connection.start`.

        Raises ConnectionStateError outside a running loop, or if another one that is not closed has the connection.
        """
        self._own_lease()
        super().start()

    async def wait_for(self, *states: State | str, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in Connection
        """Wait until one of `states` is entered, at most `timeout` seconds; see `Connection.wait_for`."""
        wanted = checked_states(states)
        entered = asyncio.Event()
        self._lease()
        with self._attachment.waiters.waiting(wanted, entered.set):
            return self._attachment.is_in(wanted) or await _happened(entered, timeout)

    async def query_online_state(self, agents: Sequence[str]) -> list[Any]:
        """Ask the server which of `agents` are online; see `Connection.query_online_state`."""
        ask, lease = self._online_state_query(agents), self._lease()
        assert lease is not None  # else there were no session
        answer: Future[list[Any]] = Future()
        answered = asyncio.Event()
        abandonment = Abandonment()
        context = copy_context()  # for those who trace calls

        def job() -> None:
            try:
                answer.set_result(context.run(ask, abandonment))
            except BaseException as error:  # noqa: BLE001 - of any kind: it is raised below
                answer.set_exception(error)
            lease.hub.post(answered.set)

        lease.hub.hold()  # a stop meanwhile closes the pool, and would drop the job
        try:
            lease.hub.pool.submit(job)
            await answered.wait()
            return answer.result()
        finally:
            abandonment.abandon()  # after a cancellation, the answer is not wanted
            lease.hub.pool.give_up(job)
            lease.hub.release()

    async def stop(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in Connection
        """Sign out and come to rest; see `Connection.stop`."""
        if (lease := self._own_lease()) is None:
            return True
        over = asyncio.Event()
        self._attachment.post_stop(lease, over.set)  # not at once: a start before it comes first
        await _happened(over, self.config.stop_bound + STOP_MARGIN if timeout is None else timeout)
        return lease.is_over and not lease.is_unsaid

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _lease(self) -> Lease | None:
        lease = super()._lease()
        if lease is not None and lease.hub.loop.is_closed():
            self._attachment.loop_closed()
            return None
        return lease

    def _own_lease(self) -> Lease | None:
        """The present stay; raises ConnectionStateError if it is at another loop than the one that runs here."""
        if (lease := self._lease()) is None:
            return None
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return lease
        if running is not lease.hub.loop:
            raise ConnectionStateError(
                f"the connection of {self.agent_id} belongs to another event loop: stop it there, or close that loop"
            )
        return lease

    @staticmethod
    def _hold_hub() -> Hub:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConnectionStateError(
                "an AsyncConnection is started inside a running event loop; elsewhere, use Connection"
            ) from None
        return of_loop(loop)

    @staticmethod
    def _job(handler: Handler, argument: object, loop: asyncio.AbstractEventLoop) -> Job:
        return partial(_run, handler, argument, loop)


def _run(handler: Handler, argument: object, loop: asyncio.AbstractEventLoop) -> None:
    """Call a handler; if it makes a coroutine, have the loop run that and wait for it here: calls stay in order."""
    coroutine = handler(argument)
    if not inspect.iscoroutine(coroutine):
        return
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:  # the loop was closed: there is nowhere to run it
        coroutine.close()
        return
    while not wait((future,), LOOP_CHECK).done:
        if loop.is_closed():  # in the middle of it, or before it began: nothing ends it
            return
    future.result()


async def _happened(event: asyncio.Event, timeout: float | None) -> bool:  # noqa: ASYNC109 - as in Connection
    # Not by asyncio.wait_for, whose caller's cancellation was lost in Python 3.11 if it came in the step of the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await event.wait()
    return event.is_set()
