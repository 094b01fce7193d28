"""Waiting until a state is entered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.chart import State


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
