"""What all connections of one event loop share: a timer, a pool for blocking calls, HTTP connections.

`background()` returns the hub of the one background thread that serves every `Connection` of the process.  `of_loop()`
returns the hub of a running asyncio loop, which serves the `AsyncConnection`s started in it.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import os
import selectors
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from types import BuiltinFunctionType
from typing import Any, Protocol, TypeVar

from agentcp_fsm.connection.timers import Timers
from agentcp_fsm.connection.workers import WorkerPool
from agentcp_fsm.support import forking, threads
from agentcp_fsm.support.log import logger_of

logger = logger_of(__name__)

LOOP_PAUSE = 0.1
"""Seconds before a loop that was left is entered again, so that a loop that is left each time costs little."""
JOIN_TIMEOUT = 1.0
"""Seconds that `stop` of the last connection waits for the background thread to end."""


class Closable(Protocol):
    """Something to be closed."""

    def close(self) -> None:
        """Let go of everything."""


Resource = TypeVar("Resource", bound=Closable)


class Hub:
    """A loop and what its connections share.  It lives while at least one holds it."""

    __slots__ = ("_holders", "_lock", "_shared", "loop", "pool", "timers")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.timers = Timers(loop)
        self.pool = WorkerPool("agentcp-http")
        self._lock = threading.RLock()  # as all that start takes: a signal's handler may start another connection
        self._shared: dict[Callable[[], Any], Any] = {}
        self._holders = 0

    def hold(self) -> bool:
        """Keep the hub alive; False if it is beyond that, and another is to be taken."""
        with self._lock:
            if self._holders < 0:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """Take back one `hold`; the last one ends the hub."""
        with self._lock:
            self._holders -= 1
            if self._holders:
                return
            self._holders = -1
        self.end()

    def end(self) -> None:
        """Nobody holds the hub any longer."""
        self.pool.close()
        for resource in self._shared.values():
            resource.close()

    def shared(self, make: Callable[[], Resource]) -> Resource:
        """The one thing that `make` made for this hub, made if there is none; it is closed when the hub ends."""
        with self._lock:
            if make not in self._shared:
                self._shared.setdefault(make, make())
            resource: Resource = self._shared[make]
            return resource

    @property
    def ended(self) -> bool:
        """Whether nobody holds it any longer."""
        return self._holders < 0

    def post(self, call: Callable[[], None]) -> bool:
        """Run `call` in the loop, from any thread; False if the loop is closed, so that it never will run.

        Its context is an empty one, and so is that of all that comes of it: nothing of the caller is kept alive.
        """
        try:
            self.loop.call_soon_threadsafe(call, context=Context())
        except RuntimeError:
            return False
        return True


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, when it is installed and can work in this process; else asyncio's."""
    if _standard_descriptors_are_open() and not threads_are_greenlets():
        with suppress(ImportError):
            import uvloop

            return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop(_new_selector())  # not what the application's policy makes, as a loop of windows


def _standard_descriptors_are_open() -> bool:
    """libuv aborts the process when it closes a descriptor of its own that has the number of a standard stream."""
    try:
        for number in range(3):
            os.fstat(number)
    except OSError:
        return False
    return True


def threads_are_greenlets() -> bool:
    """Whether gevent or eventlet has replaced threads: what holds the only real one without their knowledge, as a loop
    written in C does, holds all of them.
    """
    return not isinstance(_thread.start_new_thread, BuiltinFunctionType)


def _new_selector() -> selectors.BaseSelector:
    """One that waits in the thread that calls it, as gevent's for greenlets does not: it belongs to its maker's."""
    if (monkey := sys.modules.get("gevent.monkey")) is not None and not threads_are_greenlets():
        selector: selectors.BaseSelector = monkey.get_original("selectors", "DefaultSelector")()
        return selector
    return selectors.DefaultSelector()


class Background(Hub):
    """The hub whose loop runs in a background thread of its own."""

    __slots__ = ("_ending", "_rests", "_rests_now", "_woken", "thread")

    def __init__(self) -> None:
        super().__init__(Context().run(new_event_loop))  # uvloop keeps the context that it is made in
        self._ending = False
        self._rests = False
        """Whether the interpreter exits, and nobody has a goodbye to say."""
        self._rests_now = threading.Event()
        self._woken = threading.Event()
        self.thread = threads.daemon("agentcp-loop", self._run)
        try:
            threads.start(self.thread)
        except RuntimeError:  # the system has no thread for it
            self.loop.close()
            raise

    def _run(self) -> None:
        try:
            while not self._ending:
                try:
                    self.loop.run_forever()
                except BaseException:  # a loop lets SystemExit pass, and what its own logger raises
                    logger.exception("the loop was left, and is entered again")
                    time.sleep(LOOP_PAUSE)
                if self._rests and not self._ending:
                    self._rests_now.set()
                    self._woken.wait()
        finally:
            self._rests_now.set()
            self.timers.close()
            self.loop.close()

    def end(self) -> None:
        """Nobody holds the hub any longer: its thread ends."""
        self._ending = True
        super().end()
        self.post(self.loop.stop)
        self._woken.set()

    def rest(self) -> None:
        """Have the loop stand still, where the interpreter's end does not harm it; returns when it does, bounded."""
        self._woken.clear()
        self._rests_now.clear()
        self._rests = True
        if self.post(self.loop.stop):
            self._rests_now.wait(JOIN_TIMEOUT)

    def wake(self) -> None:
        """Have the loop go on, for a start or a stop at the exit."""
        self._rests = False
        self._woken.set()

    def join(self) -> None:
        """Wait, bounded, for the thread of a hub that nobody holds; a no-op inside that thread."""
        if threading.current_thread() is not self.thread:
            self.thread.join(JOIN_TIMEOUT)
            self.pool.join(JOIN_TIMEOUT)


class OfLoop(Hub):
    """The hub of a loop that somebody else runs."""

    __slots__ = ()

    def end(self) -> None:
        """Nobody holds the hub any longer: it is forgotten."""
        super().end()
        self.timers.close()
        with _lock:
            if _of_loop.get(self.loop) is self:
                del _of_loop[self.loop]


_lock = threading.RLock()
_background: Background | None = None
_of_loop: dict[asyncio.AbstractEventLoop, OfLoop] = {}
_inherited: list[Background] = []


def background() -> Background:
    """The process's background hub, held once more; begun if there is none."""
    global _background
    with _lock:
        hub = _background
        if hub is None or not hub.hold():
            hub = Background()
            hub.hold()
            _background = hub
        hub.wake()
        return hub


def of_loop(loop: asyncio.AbstractEventLoop) -> Hub:
    """The hub of an asyncio loop, held once more; begun if there is none."""
    with _lock:
        for closed in [known for known in _of_loop if known.is_closed()]:
            del _of_loop[closed]  # its connections were never stopped
        hub = _of_loop.get(loop)
        if hub is None or not hub.hold():
            hub = _of_loop[loop] = OfLoop(loop)
            hub.hold()
        return hub


def _stop_at_exit() -> None:
    """Have the loop rest before the interpreter takes its parts away; nothing that blocks is waited for.

    It is not ended: handlers of `atexit` that the program registered before this one come after it, and may stop
    connections.
    """
    if _background is not None and _background.thread.is_alive():
        _background.rest()


def _forget_in_child() -> None:
    """After a fork: the parent's thread does not exist here, and its loop must not be touched, not even closed."""
    global _background, _lock
    _lock = threading.RLock()
    if _background is not None:
        _inherited.append(_background)
        _background = None
    _of_loop.clear()


atexit.register(_stop_at_exit)
forking.in_child(forking.Stage.LOOPS, _forget_in_child)
