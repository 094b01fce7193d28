"""The machine: what the chart's guards ask and its actions do.  No input, no output, no clock, no thread in here.

Feed it an event and the time, carry out the effects it returns, and wake it when its deadline passes:

    machine = Lifecycle(Config(), random.Random())
    for effect in machine.handle(Start(), now):
        ...
    # no later than machine.deadline:
    machine.handle(DeadlinePassed(), now)

Which state follows which event is decided in `agentcp_fsm.lifecycle.chart` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.actions import Actions
from agentcp_fsm.lifecycle.chart import CHART, State
from agentcp_fsm.lifecycle.effects import Effect, ReportTransition
from agentcp_fsm.lifecycle.events import DeadlinePassed, Event


class Lifecycle(Actions):
    """One connection's machine (lifecycle, "Rules").

    `random` is used for jitter only, and may be shared: it is the caller's.
    """

    __slots__ = ()

    step: Callable[..., Row]
    """How an event meets the chart: see `agentcp_fsm.fsm.step.Step`."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at the time `now` (seconds of a monotonic clock) and return what is to be done, in order.

        Never raises: an event without meaning in the present state is counted and has no effect.  A `now` before that
        of an earlier event counts as that event's.
        """
        if not now > self.now:
            now = self.now
        self.now = now
        effects = self._effects = []
        source, failed_attempts, unanswered = self.state, self.statistics.failed_attempts, self.unanswered
        row = self.step(event.trigger, event, now)
        if row.dest is not None:
            transition = ReportTransition(
                source, self.state, event.trigger, row.reason, self._detail(event, now, unanswered), now, self._lost
            )
            effects.append(transition)
            if self._lost or self.statistics.failed_attempts != failed_attempts:
                self.statistics.last_failure = transition
            if self._lost:
                self.statistics.last_loss = transition
                self._lost = False
        return effects

    def _detail(self, event: Event, now: float, unanswered: int) -> str:
        """What went wrong, and of a wait when the next try is."""
        what = event.reason
        if self._lost and event.trigger == DeadlinePassed.trigger:
            what = silence_text(unanswered, now - self.answered_at)
        if self.state is not State.BACKOFF:
            return what
        next_try = f"next try in {self.timeout_at - now:.1f} s"
        return f"{what}; {next_try}" if what else next_try


def silence_text(unanswered: int, seconds: float) -> str:
    """Describe the silence that ended a connection."""
    return f"{unanswered} heartbeat{'' if unanswered == 1 else 's'} unanswered, last answer {seconds:.1f} s ago"


Lifecycle.step = CHART.compile(Lifecycle, arity=2)
