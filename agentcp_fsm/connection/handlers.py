"""An application's handlers, and how they are called: in order, away from the heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from agentcp_fsm.connection.workers import HandlerQueue
from agentcp_fsm.errors import ConfigError

QUEUE_LIMIT = 1024
"""How many calls of a connection's handlers may wait."""
RETRY = 1.0
"""Seconds until the next try, if the system had no thread for handlers."""

Kind = Literal["invite", "transition", "error"]
Handler = Callable[[Any], Any]
Job = Callable[[], None]
MakeJob = Callable[[Handler, object, asyncio.AbstractEventLoop], Job]
"""Makes what runs a handler with its argument, on the connection's own worker; the loop is the connection's."""


class Handlers:
    """One connection's handlers; they are called from the loop."""

    __slots__ = ("_agent_id", "_handlers", "_make_job", "_queue", "_retrying")

    def __init__(self, agent_id: str, make_job: MakeJob) -> None:
        self._agent_id = agent_id
        self._make_job = make_job
        self._handlers: dict[Kind, list[Handler]] = {}
        self.forget()

    def forget(self) -> None:
        """Forget all calls: they belong to a loop that is gone, or to another process."""
        self._queue: HandlerQueue | None = None
        self._retrying = False
        """Whether the loop is asked to look for a thread again."""

    def add(self, kind: Kind, handler: Handler) -> None:
        """Have `handler` called; raises ConfigError for something that cannot be called."""
        if not callable(handler):
            raise ConfigError(f"{handler!r} cannot be a handler: give something callable with one argument")
        self._handlers.setdefault(kind, []).append(handler)  # each one step, for there may be other threads

    def of(self, kind: Kind) -> tuple[Handler, ...]:
        """The handlers of a kind, in the order in which they were added."""
        return tuple(self._handlers.get(kind, ()))

    def call(self, kind: Kind, argument: object, loop: asyncio.AbstractEventLoop) -> None:
        """Call the handlers of a kind, soon; called in the loop."""
        for handler in self.of(kind):
            if self._queue is None:
                self._queue = HandlerQueue(QUEUE_LIMIT, self._agent_id)
            if not self._queue.submit(self._make_job(handler, argument, loop), handler) and not self._retrying:
                self._retry_later(loop)

    def _retry_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """The system has no thread now: the waiting calls must not wait for the next one."""
        self._retrying = True
        loop.call_later(RETRY, partial(self._retry, loop))

    def _retry(self, loop: asyncio.AbstractEventLoop) -> None:
        self._retrying = False
        if self._queue is not None and not self._queue.see_to_it():
            self._retry_later(loop)

    @property
    def dropped(self) -> int:
        """Calls that were dropped because too many waited."""
        return 0 if self._queue is None else self._queue.dropped

    @property
    def raised(self) -> int:
        """Calls that raised."""
        return 0 if self._queue is None else self._queue.raised

    @property
    def waiting(self) -> int:
        """Calls that wait for those before them."""
        return 0 if self._queue is None else self._queue.waiting

    def end_floods(self) -> None:
        """Log their folded errors."""
        if self._queue is not None:
            self._queue.end_floods()

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds until no handler runs; not at all inside a handler."""
        if self._queue is not None:
            self._queue.join(timeout)
