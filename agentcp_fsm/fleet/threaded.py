"""A fleet in a threaded program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.fleet.asynchronous import AsyncFleet, Meter
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.fleet.reports import Absent, Changes, Progress
from agentcp_fsm.support import threads

T = TypeVar("T")


class Fleet:
    """Many agents in a thread of their own, ``agentcp-fleet``; the arguments are those of `AsyncFleet`.

    Every method may be called from any thread but that one: not in ``on_made`` and ``on_refused``.  As a context
    manager it starts, and stops on the way out.
    """

    def __init__(
        self,
        members: Iterable[Member] = (),
        *,
        starts_at_once: int = 64,
        metrics: Meter | None = None,
        on_made: Callable[[AsyncConnection], None] | None = None,
        on_refused: Callable[[Member, str], None] | None = None,
    ) -> None:
        self._fleet = AsyncFleet(
            members, starts_at_once=starts_at_once, metrics=metrics, on_made=on_made, on_refused=on_refused
        )
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[AsyncConnection | Absent]:
        return iter(self._fleet)

    def __len__(self) -> int:
        return len(self._fleet)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} agents>"

    def connection(self, agent_id: str) -> AsyncConnection | None:
        """See `AsyncFleet.connection`; of what it returns, use only what may be used from any thread: `health`."""
        return self._fleet.connection(agent_id)

    def progress(self) -> Progress:
        """See `AsyncFleet.progress`."""
        return self._fleet.progress()

    def wait_until_online(self, timeout: float | None = None) -> bool:
        """See `AsyncFleet.wait_until_online`; False at once unless started."""
        with self._lock:
            loop = self._loop
        if loop is None:
            return False
        return self._await(loop, lambda: self._fleet.wait_until_online(timeout))

    def start(self) -> None:
        """See `AsyncFleet.start`."""
        with self._lock:
            if self._loop is not None:
                return
            loop = new_event_loop()
            thread = threads.daemon("agentcp-fleet", _run, loop)
            try:
                threads.start(thread)
            except RuntimeError:  # the system has no thread for it
                loop.close()
                raise
            try:
                self._await(loop, self._begin)
            except BaseException:
                _end(loop, thread)
                raise
            self._loop, self._thread = loop, thread

    def stop(self, timeout: float = 30.0) -> bool:
        """See `AsyncFleet.stop`."""
        with self._lock:
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                return True
            well = self._await(loop, lambda: self._fleet.stop(timeout))
            _end(loop, thread)
            self._loop = self._thread = None
            return well

    def apply(self, members: Iterable[Member], *, keep: Iterable[str] = ()) -> Changes:
        """See `AsyncFleet.apply`."""
        listed, kept = list(members), list(keep)
        return self._call(lambda: self._fleet.apply(listed, keep=kept))

    def add(self, member: Member) -> Changes:
        """See `AsyncFleet.add`."""
        return self._call(lambda: self._fleet.add(member))

    def remove(self, agent_id: str) -> Changes:
        """See `AsyncFleet.remove`."""
        return self._call(lambda: self._fleet.remove(agent_id))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _begin(self) -> None:
        self._fleet.start()

    def _call(self, function: Callable[[], T]) -> T:
        """Call a function in the fleet's loop, or here if it is at rest."""

        async def call() -> T:
            return function()

        with self._lock:
            return function() if self._loop is None else self._await(self._loop, call)

    @staticmethod
    def _await(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(function(), loop)
        return future.result()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
