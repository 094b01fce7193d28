"""What a compiled chart is called with, and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from agentcp_fsm.fsm.chart import Row

M_contra = TypeVar("M_contra", contravariant=True)


class Step(Protocol[M_contra]):
    """``step(model, trigger, *args)``: sends one event and returns the row that was taken.

    Raises ChartError for a trigger or a state that the chart does not have, and UndecidedError for an event that no row
    decides in a chart with ``undecided="raise"``.  What a callback raises passes through, and leaves the state as it
    is then.  An event that a callback sends is processed at once; the row under way goes on after it, and may overwrite
    its state.
    """

    def __call__(self, model: M_contra, trigger: str, /, *args: object, **kwargs: object) -> Row:
        """Send one event."""


class QueuedStep(Protocol[M_contra]):
    """A step that runs to completion: an event that a callback sends to its model waits until the present one is over.

    It then returns None.  The outermost call returns the row of its own event, after all that wait are processed.  If a
    callback raises, the events that wait are dropped.
    """

    def __call__(self, model: M_contra, trigger: str, /, *args: object, **kwargs: object) -> Row | None:
        """Send one event, now or after the one under way."""
