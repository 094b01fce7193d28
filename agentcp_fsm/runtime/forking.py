"""Forking beside the threads of the runtime.

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

CALL_PATIENCE = 0.2
"""Seconds that a fork waits, at most, for calls to end; one that takes longer waits for its server, in all likelihood,
and holds nothing then."""
LINE_PATIENCE = 1.0
"""Seconds that a fork waits, at most, for logging handlers in the middle of a line."""

_gate = threading.RLock()
"""Held from before a fork to after it: no call begins."""
_calls = threading.Condition()
_running: set[int] = set()
"""The threads in which calls are under way."""
_held = threading.local()


@contextmanager
def call() -> Iterator[None]:
    """Around a call of this package's own threads that a fork is to let end."""
    thread = threading.get_ident()
    with _gate, _calls:
        _running.add(thread)
    try:
        yield
    finally:
        with _calls:
            _running.discard(thread)
            _calls.notify_all()


def before() -> None:
    """Let calls and handlers come to an end, and begin none."""
    _gate.acquire()
    _calls.acquire()
    _calls.wait_for(lambda: _running <= {threading.get_ident()}, CALL_PATIENCE)
    deadline = time.monotonic() + LINE_PATIENCE
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
    """Let them go on."""
    for lock in _held.__dict__.pop("locks", ()):
        with suppress(RuntimeError):  # in the child, logging has made it anew
            lock.release()
    _calls.release()
    _gate.release()


def after_in_child() -> None:
    """The same, without the threads that are not there."""
    _running.intersection_update({threading.get_ident()})
    after_in_parent()
