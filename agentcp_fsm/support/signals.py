"""Signals that must not hit the process for what this library does, nor interrupt it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from agentcp_fsm.support import forking, threads
from agentcp_fsm.support.latch import Latch

Result = TypeVar("Result")

FORK_NOTICED = 0.05
"""Seconds after which a child that a signal's handler forked notices that the thread it waits for is its parent's."""


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


def uninterrupted(call: Callable[[], Result]) -> Result | None:
    """Return what `call` returns, and raise what it raises; no signal's handler interrupts it in its midst.

    Python runs the handlers of signals in the main thread, between any two of its steps.  A handler that waits
    there for another thread waits in vain if that one needs a lock of what was interrupted.  So the main thread has
    another one make the call, and a handler that runs meanwhile may wait for its end.  The main thread makes it
    itself if the system has no other thread for it, or this is a child that was forked without Python's knowledge.
    In a child that such a handler forks, the call is its parent's: None.
    """
    forking.notice()
    if threading.current_thread() is not threading.main_thread() or forking.is_unhooked_child():
        return call()
    done, outcome = Latch(), Future[Result]()

    def make_call() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - of any kind: the caller's thread raises it
            outcome.set_exception(error)
        finally:
            done.open()

    caller, process = threads.daemon("agentcp-call", make_call), os.getpid()
    try:
        threads.start(caller)
    except RuntimeError:
        return call()
    while not done.wait(FORK_NOTICED):
        if os.getpid() != process:
            return None
    return outcome.result()
