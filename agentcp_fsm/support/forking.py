"""Makes a fork safe beside the threads of a connection.

A forked child has none of its parent's other threads, but the locks that they held stay held for ever in the child: a
lock of OpenSSL in the middle of a signature, of a module in the middle of its import, of the stream below a logging
handler in the middle of a line.  The child would hang at its own first use of such a lock.  A program may have no
other thread at all before it starts a connection, so this package must see to it that a fork finds nothing half done.

All fork hooks of the package are registered here, by `in_child`.
"""

import logging
import os
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import IntEnum
from operator import itemgetter
from typing import Any


class Stage(IntEnum):
    """When a hook runs in a forked child: the lowest first."""

    LOOPS = 1
    """The parent's event loops are forgotten."""
    CONNECTIONS = 2
    """The copies of the parent's connections are put to rest."""
    CLIENTS = 3
    """The same for the objects that own a connection."""


PATIENCE = 1.0
"""Seconds that a fork waits, at most, for what is half done."""

_gate = threading.RLock()
"""Held from before a fork to after it: nothing begins."""
_done = threading.Condition()
_busy: set[int] = set()
"""The threads that a fork waits for."""
_held = threading.local()
_process = os.getpid()
_unhooked = False
_hooks: list[tuple[Stage, Callable[[], None]]] = []
"""What a forked child does, in this order."""


def in_child(stage: Stage, hook: Callable[[], None]) -> None:
    """Have every forked child call `hook`, in the order of the stages; the first hook also makes forks wait.

    Has no effect where the system cannot fork.
    """
    if not _hooks and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)
    insort(_hooks, (stage, hook), key=itemgetter(0))


@contextmanager
def busy() -> Iterator[None]:
    """Surround the work of a thread of this package: a fork waits until it ends or is `waiting`."""
    _begin()
    try:
        yield
    finally:
        _end()


@contextmanager
def waiting() -> Iterator[None]:
    """Surround a wait for another party: no fork waits for that."""
    if threading.get_ident() not in _busy:  # one of the application's threads
        yield
        return
    _end()
    try:
        yield
    finally:
        _begin()


def _begin() -> None:
    with _gate, _done:
        _busy.add(threading.get_ident())


def _end() -> None:
    with _done:
        _busy.discard(threading.get_ident())
        _done.notify_all()


def before() -> None:
    """Before a fork: let half-done work end, and let nothing begin."""
    deadline = time.monotonic() + PATIENCE
    _gate.acquire()
    _done.acquire()
    _done.wait_for(lambda: _busy <= {threading.get_ident()}, PATIENCE)
    locks: list[Any] = []
    _held.locks = locks
    for handler in _handlers():
        if (lock := getattr(handler, "lock", None)) is None:
            continue  # it needs none, or its class calls no constructor
        # A lock of the application's own may raise anything: it need not take a timeout.
        with suppress(Exception):
            # Bounded, because its holder may be waiting for another, or for the thread that forks.
            if lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
                locks.append(lock)


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers of all loggers; a handler that hands a line on to another is itself held meanwhile."""
    known: list[Any] = list(logging.root.manager.loggerDict.values())
    for logger in (logging.root, *known):
        yield from getattr(logger, "handlers", ())  # a placeholder for a part of other names has none


def after_in_parent() -> None:
    """After a fork: let everything go on."""
    locks = _held.__dict__.pop("locks", None)
    if locks is None:  # `before` was not called, as by a server that forks in C
        return
    for lock in locks:
        with suppress(Exception):  # in the child, logging has made it anew
            lock.release()
    _done.release()
    _gate.release()


def notice() -> None:
    """Call the hooks if this is a child of whose fork Python was not told, as of a server that forks in C."""
    global _unhooked
    if os.getpid() != _process:
        _unhooked = True
        after_in_child()


def is_unhooked_child() -> bool:
    """Whether this is a child of whose fork Python was not told.

    Its interpreter's lock counts threads of the parent as waiting, so each change of threads may hang in it.
    """
    return _unhooked


def after_in_child() -> None:
    """Do the same without the threads that are not there, then call the hooks."""
    global _gate, _done, _process
    _process = os.getpid()
    with ExitStack() as hooks:  # each hook runs, even if another raises
        for _, hook in reversed(_hooks):
            hooks.callback(hook)
        _busy.intersection_update({threading.get_ident()})
        after_in_parent()
        # Without `before`, a thread that is not there may hold them for ever.
        _gate, _done = threading.RLock(), threading.Condition()
