"""Forking beside the threads of a connection.

A forked child has none of its parent's other threads, but what they held is held for ever there: locks of OpenSSL in
the middle of a signature, of a module in the middle of its import, of the stream below a logging handler in the middle
of a line.  The child would hang in its own first.  Before a connection is started, a program may have no other thread
at all; so it is for this package to see to it that a fork finds nothing half done.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

PATIENCE = 1.0
"""Seconds that a fork waits, at most, for what is half done."""

_gate = threading.RLock()
"""Held from before a fork to after it: nothing begins."""
_done = threading.Condition()
_busy: set[int] = set()
"""The threads that a fork waits for."""
_held = threading.local()


@contextmanager
def busy() -> Iterator[None]:
    """Around what a thread of this package does: a fork waits for its end, or until it is `waiting`."""
    _begin()
    try:
        yield
    finally:
        _end()


@contextmanager
def waiting() -> Iterator[None]:
    """Around what waits for somebody else: no fork waits for that."""
    if threading.get_ident() not in _busy:  # a thread of the application's own
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
    """Let what is half done come to an end, and nothing begin."""
    deadline = time.monotonic() + PATIENCE
    _gate.acquire()
    _done.acquire()
    _done.wait_for(lambda: _busy <= {threading.get_ident()}, PATIENCE)
    locks: list[threading.RLock] = []
    _held.locks = locks
    locks.extend(
        handler.lock
        for handler in _handlers()
        # Bounded, for who holds one may be waiting for another, or for the thread that forks.
        if handler.lock is not None and handler.lock.acquire(timeout=max(deadline - time.monotonic(), 0.0))
    )


def _handlers() -> Iterator[logging.Handler]:
    """Those of all loggers; what a handler hands on to another, it does while it is itself held."""
    known: list[Any] = list(logging.root.manager.loggerDict.values())
    for logger in (logging.root, *known):
        yield from getattr(logger, "handlers", ())  # a placeholder, for a name that is only a part of others, has none


def after_in_parent() -> None:
    """Let it go on."""
    for lock in _held.__dict__.pop("locks", ()):
        with suppress(RuntimeError):  # in the child, logging has made it anew
            lock.release()
    _done.release()
    _gate.release()


def after_in_child() -> None:
    """The same, without the threads that are not there."""
    _busy.intersection_update({threading.get_ident()})
    after_in_parent()
