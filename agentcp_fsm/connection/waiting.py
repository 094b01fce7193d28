"""Waiting until a state is entered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.chart import State


class Latch:
    """A gate that one thread waits for, once.

    Unlike with a `threading.Event`, which has a lock of its own, every step is one step of a lock: the handler of a
    signal never finds it half waited for, and may itself wait for the loop meanwhile.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread go on; may be repeated."""
        with suppress(RuntimeError):  # it is open already
            self._lock.release()

    def wait(self, timeout: float | None) -> bool:
        """Wait until the latch is open, at most `timeout` seconds; False if it was not."""
        return self._lock.acquire(timeout=-1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX))


class Waiters:
    """The calls that wait until a state is entered.

    Without a lock, each use being one step: a signal's handler may call `stop` or `wait_for` at any moment.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[object, tuple[frozenset[State], Callable[[], None]]] = {}

    @contextmanager
    def waiting(self, states: frozenset[State], notify: Callable[[], None]) -> Iterator[None]:
        """Have `notify` called in the loop whenever one of `states` is entered."""
        key = object()
        self._waiting[key] = (states, notify)
        try:
            yield
        finally:
            self._waiting.pop(key, None)  # a fork has none left

    def entered(self, state: State) -> None:
        """Notify the calls that wait for `state`."""
        for states, notify in tuple(self._waiting.values()):
            if state in states:
                notify()


def checked_states(states: tuple[State | str, ...]) -> frozenset[State]:
    """The states to wait for; raises ConfigError for something that is no state, and for none at all."""
    for state in states:
        if state not in State.__members__:
            raise ConfigError(f"{state!r} is no state; wait for one or more of {', '.join(State)}")
    if not states:
        raise ConfigError(f"no state given; wait for one or more of {', '.join(State)}")
    return frozenset(State(state) for state in states)
