"""What may watch a machine at its every step: a recorder of traces, a meter.  Without an observer, it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.support.quoting import name_of

logger = logger_of(__name__)

Handle = Callable[[Event, float], list[Effect]]
"""`Lifecycle.handle` of one machine, observed or not."""


class Observer(Protocol):
    """Sees a connection's machine; called in the loop, so nothing here may block.  One that raises sees no more."""

    def adopted(self, machine: Lifecycle) -> None:
        """The connection's machine from now on, before its next event: there is another after a fork, for example."""

    def stepped(self, event: Event, effects: Sequence[Effect]) -> None:
        """The machine has handled the event at its `now`; the effects are still to be carried out.

        The list is the driver's, and changes later: copy what is to be kept.
        """


def observed(machine: Lifecycle, observers: list[Observer]) -> Handle:
    """Return the machine's `handle`, which reports each step to the observers."""
    handle: Handle = machine.handle
    for observer in observers:
        handle = _observed_by(observer, handle, observers)
    return handle


def _observed_by(observer: Observer, handle: Handle, observers: list[Observer]) -> Handle:
    stepped = observer.stepped

    def reporting(event: Event, now: float) -> list[Effect]:
        nonlocal stepped
        effects = handle(event, now)
        try:
            stepped(event, effects)
        except Exception:  # noqa: BLE001 - an application's, perhaps, and logged; the effects must be carried out
            stepped = _nothing
            observers.remove(observer)
            _complain(observer)
        return effects

    return reporting


def _nothing(event: Event, effects: Sequence[Effect]) -> None:
    """What is left of an observer that raised."""


def adopted(machine: Lifecycle, observers: Sequence[Observer]) -> list[Observer]:
    """Present the machine to the observers; return those that did not raise."""
    able = []
    for observer in observers:
        try:
            observer.adopted(machine)
        except Exception:  # noqa: BLE001 - an application's, perhaps, and logged
            _complain(observer)
        else:
            able.append(observer)
    return able


def _complain(observer: Observer) -> None:
    logger.exception("the observer %s raised, and observes no more", name_of(type(observer)))
