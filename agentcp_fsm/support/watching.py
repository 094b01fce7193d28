"""Watching sockets for an event loop that cannot do it well, in a thread beside it.

Windows' usual loop, the proactor, has no ``add_reader``, and its own datagram endpoints stop reading after an error
(CPython's issues 91227 and 127057).  Its other loop waits with ``select``, which takes 512 sockets at most, and fails
for all of them once somebody has closed one: the loop would never come to its timers again.  So the threads here wait
with ``select``, sort out what is closed, and have the loop call back when a socket can be read.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from agentcp_fsm.support import forking, threads
from agentcp_fsm.support.log import logger_of

logger = logger_of(__name__)

SELECT_LIMIT = 400
"""Sockets that one thread watches: Windows' `select` takes 512."""
PATIENCE = 1.0
"""Seconds that the end of watching waits for the thread, which does nothing that blocks."""


class Watch(Protocol):
    """A socket that is watched: `readable` is called in the loop whenever it can be read."""

    def renew(self) -> None:
        """Go on watching after an error, as some loops do not by themselves."""

    def end(self) -> None:
        """Watch it no more: when this returns, the socket may be closed.  Called in the loop, once."""

    def drop(self) -> None:
        """The same without the loop, which is closed, or another process's after a fork."""


class LoopWatch:
    """A socket that the loop itself watches."""

    __slots__ = ("_descriptor", "_loop", "_readable")

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int, readable: Callable[[], None]) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._readable = readable
        loop.add_reader(descriptor, readable)

    def renew(self) -> None:
        """See `Watch`."""
        self._loop.remove_reader(self._descriptor)
        self._loop.add_reader(self._descriptor, self._readable)

    def end(self) -> None:
        """See `Watch`."""
        self._loop.remove_reader(self._descriptor)  # raises if a transport of the loop has the number now

    def drop(self) -> None:
        """See `Watch`."""


def watch(loop: asyncio.AbstractEventLoop, descriptor: int, readable: Callable[[], None]) -> Watch:
    """Have `readable` called in `loop`, from whose thread this is called, whenever the socket can be read.

    Raises OSError if it cannot be watched, or what the loop raises for a descriptor that is not the caller's.
    """
    if not isinstance(getattr(loop, "_selector", None), selectors.SelectSelector):
        with suppress(NotImplementedError):
            return LoopWatch(loop, descriptor, readable)
    with _lock:
        return _thread_with_room().watch(loop, descriptor, readable)


@dataclass(slots=True, eq=False)
class ThreadWatch:
    """A socket that a thread watches.  The thread reports it once, and again after the loop has called back."""

    thread: WatchThread
    loop: asyncio.AbstractEventLoop
    descriptor: int
    readable: Callable[[], None]
    ended: bool = False
    let_go: threading.Event = field(default_factory=threading.Event)
    """The thread has nothing to do with the descriptor: it has reported it, or has been asked to leave it."""

    def renew(self) -> None:
        """See `Watch`; the thread does so by itself."""

    def end(self) -> None:
        """See `Watch`."""
        self.ended = True
        self.thread.forget(self)

    def drop(self) -> None:
        """See `Watch`."""
        if self.thread in _threads:  # else it is the parent's
            self.end()

    def report(self) -> None:
        """Have the loop call back; called in the thread."""
        self.let_go.set()
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._call_back)

    def _call_back(self) -> None:
        if self.ended:
            return
        try:
            self.readable()
        finally:
            if not self.ended:
                self.let_go.clear()
                self.thread.ask(self)


class WatchThread:
    """A thread that waits for sockets, and ends with the last of them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._asked: list[ThreadWatch] = []
        """What the thread is to begin with, or to leave."""
        self._ending = False
        self.watches: set[ThreadWatch] = set()
        """All that are not ended; under the module's lock."""
        self._thread = threads.daemon("agentcp-watch", self._run)
        try:
            threads.start(self._thread)
        except RuntimeError as error:
            self._close()
            raise OSError(f"the system has no thread to watch sockets: {error}") from error

    def watch(self, loop: asyncio.AbstractEventLoop, descriptor: int, readable: Callable[[], None]) -> ThreadWatch:
        """Begin to watch a socket."""
        watch = ThreadWatch(self, loop, descriptor, readable)
        self.watches.add(watch)
        self.ask(watch)
        return watch

    def ask(self, watch: ThreadWatch) -> None:
        """Have the thread look at a watch: begin with it, or leave it if it is ended."""
        with self._lock:
            self._asked.append(watch)
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):  # it is full: the thread wakes anyway
            self._theirs.send(b"!")

    def forget(self, watch: ThreadWatch) -> None:
        """Have the thread leave a watch that is ended, and wait until it has."""
        if not watch.let_go.is_set():
            self.ask(watch)
            if not watch.let_go.wait(PATIENCE) and self._thread.is_alive():
                logger.error("the thread that watches sockets does not answer")
        with _lock:
            self.watches.discard(watch)
            if self.watches:
                return
            if self in _threads:
                _threads.remove(self)
        self._ending = True
        self._wake()

    def _run(self) -> None:
        try:
            while not self._ending:
                self._obey()
                for key in self._ready():
                    if isinstance(key.data, ThreadWatch):
                        self._selector.unregister(key.fileobj)
                        key.data.report()
                    else:
                        self._ours.recv(4096)
        except Exception:
            logger.exception("the thread that watches sockets ends")
        finally:
            with _lock:  # no socket more is for it
                if self in _threads:
                    _threads.remove(self)
            self._close()

    def _obey(self) -> None:
        """Begin with what was asked for, and leave what is ended."""
        with self._lock:
            asked, self._asked = self._asked, []
        for watch in asked:
            known = self._selector.get_map().get(watch.descriptor)
            if known is not None and (known.data is watch or not watch.ended):  # or it is of a socket that is gone
                self._selector.unregister(watch.descriptor)
            if watch.ended:
                watch.let_go.set()
                continue
            try:
                self._selector.register(watch.descriptor, selectors.EVENT_READ, watch)
            except (OSError, ValueError):
                watch.report()  # its reading will meet the error

    def _ready(self) -> list[selectors.SelectorKey]:
        try:
            return [key for key, _ in self._selector.select()]
        except (OSError, ValueError):  # a socket was closed meanwhile, of which select does not say which
            if gone := [key for key in list(self._selector.get_map().values()) if _is_gone(key.fd)]:
                return gone
            return [key for key, _ in self._selector.select()]  # its number is another socket's now; else this raises

    def _close(self) -> None:
        self._selector.close()
        self._ours.close()
        self._theirs.close()


def _is_gone(descriptor: int) -> bool:
    try:
        with selectors.SelectSelector() as alone:
            alone.register(descriptor, selectors.EVENT_READ)
            alone.select(0)
    except (OSError, ValueError):
        return True
    return False


def _thread_with_room() -> WatchThread:
    """A thread of this process that can take one socket more; raises OSError if there can be none."""
    for thread in _threads:
        if len(thread.watches) < SELECT_LIMIT:
            return thread
    thread = WatchThread()
    _threads.append(thread)
    return thread


_lock = threading.Lock()
_threads: list[WatchThread] = []


def _forget_in_child() -> None:
    """After a fork: the threads are the parent's."""
    global _lock
    _lock = threading.Lock()
    _threads.clear()


forking.in_child(forking.Stage.LOOPS, _forget_in_child)
