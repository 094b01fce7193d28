"""Signals that must not hit the process for what this library does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_sigpipe() -> Iterator[None]:
    """Surround writes to a connection that the other end, or an abandonment, may have closed.

    Python ignores SIGPIPE, but a program may have set it to its default, which ends the process.  It is sent to the
    thread that writes, so it is blocked there, and taken away.
    """
    if not hasattr(signal, "pthread_sigmask"):  # nor is there such a signal
        yield
        return
    pipe = {signal.SIGPIPE}
    was_pending = bool(pipe & signal.sigpending())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, pipe)
    try:
        yield
    finally:
        if not was_pending and pipe & signal.sigpending():
            signal.sigwait(pipe)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
