"""Threads of this package: daemons, for which no exit waits, and which keep nothing of their starter."""

import threading
from collections.abc import Callable
from contextvars import Context


def start(thread: threading.Thread) -> None:
    """Start a thread; raises RuntimeError if the system has none, or the interpreter starts none any more.

    Its context is an empty one: a thread may inherit its starter's from Python 3.14 on, and would keep alive what that
    holds, such as the request that a service was at.
    """
    Context().run(thread.start)


def daemon(name: str, target: Callable[..., object], *arguments: object) -> threading.Thread:
    """Return a thread to be started."""
    return threading.Thread(target=target, args=arguments, name=name, daemon=True)


def interpreter_exits() -> bool:
    """Whether the interpreter is at its exit, so that handlers of `atexit` run.

    From Python 3.12 on no thread can be started then.
    """
    return not threading.main_thread().is_alive()
