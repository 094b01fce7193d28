"""Defects to be found: machines that are each wrong in one thing, of the kinds that examples tend to miss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from agentcp_fsm.fsm.chart import Chart, Row
from agentcp_fsm.lifecycle.chart import CHART, DEGRADED, STATES
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportError
from agentcp_fsm.lifecycle.glossary import ACTIONS, GUARDS
from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.testing import machine as testing_machine
from agentcp_fsm.testing.machine import ConnectionMachine
from agentcp_fsm.verification import Result, explore
from agentcp_fsm.verification.matrix import BRISK
from agentcp_fsm.verification.promela import ACTIONS as IN_PROMELA
from tests.verification import spin

PHASES = (Phase.generate,)
"""Of Hypothesis: a failure is enough, and need not be shrunk."""

TRANSLATED: Mapping[str, Mapping[str, str]] = {
    "a wish to start again survives its start": {"begin_anew": "session = 0; doubtful = 0; was_online = 0"},
    "a sign-in that took too long is expected in the next attempt": {
        "begin_sign_in": IN_PROMELA["begin_sign_in"].replace("late_sign_in = 0; ", "")
    },
    "a doubtful session survives a new one": {
        "take_session": IN_PROMELA["take_session"].replace("doubtful = 0; ", ""),
        "take_late_session": IN_PROMELA["take_late_session"].replace("doubtful = 0; ", ""),
    },
    "a sent heartbeat clears failed receives": {"note_sent": "send_failures = 0; receive_failures = 0"},
    "a sent heartbeat clears unanswered ones": {"note_sent": "send_failures = 0; unanswered = 1"},
    "an invitation clears failed sends": {"answer_invitation": "receive_failures = 0; send_failures = 0"},
    "an invitation clears unanswered heartbeats": {"answer_invitation": "receive_failures = 0; unanswered = 0"},
    "a failed send clears failed receives": {"note_send_failure": "send_failures++; receive_failures = 0"},
    "a failed receive clears failed sends": {"note_receive_failure": "receive_failures++; send_failures = 0"},
    "noise clears failed receives": {"count_malformed": "receive_failures = 0"},
    "a stale event clears failed sends": {"count_stale": "send_failures = 0"},
    "a failed sign-in clears a doubtful session": {"note_failed_attempt": "doubtful = 0"},
    "one more failed send is tolerated": {"send_failures_exhausted": "send_failures >= SEND_FAILURE_LIMIT"},
    "a wait has no end": {"back_off": "timeout_armed = 0"},
}
"""Of defects that are in guards and actions, what these are in the Promela model."""

Action = Callable[[Any, Any, float], object]

CARRIED, RESET, CUT, REPORTED, BASIC = (
    "state carried over", "reset by the wrong event", "cut short in one state", "only reported", "an invariant's own",
)  # fmt: skip


@dataclass(frozen=True)
class Defect:
    kind: str
    what: str
    machine: type[Lifecycle]
    settings: Mapping[str, Any] = field(default_factory=dict)
    breaks: str | None = None
    """The invariant that it is made for."""

    @property
    def config(self) -> Config:
        return Config(**(BRISK | dict(self.settings)))

    def explored(self) -> Result:
        """What the explorer finds; the invariants of steps without those of what follows, which may be broken first."""
        return explore(self.config, self.machine, liveness=self.breaks is None or self.breaks.startswith("L"))

    @property
    def in_promela(self) -> tuple[Chart, Mapping[str, str]] | None:
        """Its chart, and what guards and actions are in the model; None if the model has no place for it."""
        chart: Chart = getattr(self.machine, "chart", CHART)
        changed = TRANSLATED.get(self.what, {})
        return (chart, changed) if changed or chart is not CHART else None

    def checked_by_spin(self) -> spin.Verdict | None:
        """What spin finds; None as for `in_promela`."""
        model = self.in_promela
        return None if model is None else spin.check(self.config, *model)

    def falsified(self) -> bool:
        """Whether the random lives of `ConnectionMachine` find it, in 100 examples that are always the same."""

        class Random(ConnectionMachine):
            pass

        chosen = settings(
            max_examples=100, derandomize=True, database=None, deadline=None, phases=PHASES,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(testing_machine, "Lifecycle", self.machine)
            try:
                run_state_machine_as_test(Random, settings=chosen)
            except Exception:  # noqa: BLE001 - whatever the machine raises, it was found
                return True
        return False


def acting(**methods: Any) -> type[Lifecycle]:
    """A machine with other actions or guards."""
    return type("Defective", (Lifecycle,), {"__slots__": ()} | methods)


def keeping(action: str, *names: str) -> type[Lifecycle]:
    """A machine whose `action` leaves these variables as they are."""
    right = getattr(Lifecycle, action)

    def wrong(self: Any, *args: Any) -> None:
        kept = {name: getattr(self, name) for name in names}
        right(self, *args)
        for name, value in kept.items():
            setattr(self, name, value)

    return acting(**{action: wrong})


def also(action: str, more: Callable[[Any, Any, float], object]) -> type[Lifecycle]:
    """A machine whose `action` does something more, afterwards."""
    right = getattr(Lifecycle, action)

    def wrong(self: Any, event: Any, now: float) -> None:
        right(self, event, now)
        more(self, event, now)

    return acting(**{action: wrong})


def setting(action: str, **values: object) -> type[Lifecycle]:
    """A machine whose `action` sets variables, too."""

    def more(self: Any, event: Any, now: float) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    return also(action, more)


def charted(change: Callable[[Row], Iterable[Row]], **methods: Any) -> type[Lifecycle]:
    """A machine with another chart: `change` gives the rows that take a row's place."""
    rows = tuple(new for row in CHART.rows for new in change(row))
    used = {name for row in rows for name in row.callbacks}
    chart = Chart(
        CHART.name, CHART.initial, STATES, rows,
        {name: text for name, text in GUARDS.items() if name in used},
        {name: text for name, text in ACTIONS.items() if name in used},
    )  # fmt: skip
    kind = acting(chart=chart, **methods)
    kind.step = chart.compile(kind, arity=2)
    return kind


def without_row(trigger: str, source: str, **parts: object) -> type[Lifecycle]:
    """A machine whose chart lacks a row in one state; the next that fits is taken."""

    def change(row: Row) -> Iterable[Row]:
        if not _is(row, trigger, source, parts):
            return [row]
        rest = tuple(state for state in CHART.sources(row) if state != source)
        return [replace(row, source=rest)] if rest else []

    return charted(change)


def ignoring(trigger: str, source: str, **parts: object) -> type[Lifecycle]:
    """A machine that ignores, in one state, what a row does there."""

    def change(row: Row) -> Iterable[Row]:
        if not _is(row, trigger, source, parts):
            return [row]
        rest = tuple(state for state in CHART.sources(row) if state != source)
        ignored = replace(row, source=(source,), dest=None, before=(), after=("count_stale",), ignored=True)
        return [ignored, *([replace(row, source=rest)] if rest else [])]

    return charted(change)


def acting_less(trigger: str, source: str, less: str, **parts: object) -> type[Lifecycle]:
    """A machine that leaves out one action of a row in one state."""

    def change(row: Row) -> Iterable[Row]:
        if not _is(row, trigger, source, parts):
            return [row]
        rest = tuple(state for state in CHART.sources(row) if state != source)
        wrong = replace(
            row, source=(source,),
            before=tuple(name for name in row.before if name != less),
            after=tuple(name for name in row.after if name != less),
        )  # fmt: skip
        return [wrong, *([replace(row, source=rest)] if rest else [])]

    return charted(change)


def _is(row: Row, trigger: str, source: str, parts: Mapping[str, object]) -> bool:
    return (
        row.trigger == trigger
        and source in CHART.sources(row)
        and all(getattr(row, name) == value for name, value in parts.items())
    )


def least_time_survives(self: Any, event: Any, now: float) -> None:
    before = self.not_before
    Lifecycle.begin_sign_in(self, event, now)
    self.not_before = max(self.not_before, before)


def close_socket(kept: str) -> type[Lifecycle]:
    def wrong(self: Any) -> None:
        value = getattr(self, kept)
        Lifecycle._close_socket(self)
        setattr(self, kept, value)

    return acting(_close_socket=wrong)


def without_grace(self: Any) -> float:
    config = self.config
    patience: float = min(self.answered_at + config.silence_limit * self.interval, self.due_at + config.silence_timeout)
    late: float = patience + min(config.retransmission_min, self.retransmission_max)
    graced: float = max(late, self.sent_at + self.retransmission)
    return late if self.state is DEGRADED else graced


def too_soon_forgets(state: str, since: str) -> Action:
    """`sign_in_too_soon` that knows no Retry-After, or no least time, in one state."""

    def wrong(self: Any, event: Any, now: float) -> bool:
        if self.state == state and event.trigger == since:
            return False
        return Lifecycle.sign_in_too_soon(self, event, now)

    return wrong


def known_unless_degraded(self: Any, event: Any, now: float) -> bool:
    return self.state is not DEGRADED and Lifecycle.invitation_known(self, event, now)


def wrong_number_of_attempts(self: Any, event: Any, now: float) -> None:
    self.failures -= 1
    Lifecycle.report_giving_up(self, event, now)
    self.failures += 1


def wrong_cause(self: Any, event: Any, now: float) -> None:
    self._effects.append(ReportError(f"gave up after {self.failures} attempts: no reason is known"))


def lost_only_in_words(self: Any, event: Any, now: float) -> list[Any]:
    before = self.statistics.last_loss
    effects = Lifecycle.handle(self, event, now)
    if event.trigger == "unauthorized":
        self.statistics.last_loss = before
    return effects


def first_failure_only(self: Any, event: Any, now: float) -> list[Any]:
    before = self.statistics.last_failure
    effects = Lifecycle.handle(self, event, now)
    self.statistics.last_failure = before or self.statistics.last_failure
    return effects


def no_next_try(self: Any, event: Any, now: float, unanswered: int) -> str:
    return str(event.reason)


def heartbeat_of_another(self: Any, session: Any, now: float) -> None:
    Lifecycle._send_heartbeat(self, replace(session, cookie=0), now)


def stopped_is_nothing(self: Any, event: Any, now: float) -> None:
    Lifecycle.sign_out(self, event, now)
    self.timeout_at = now + 100 * self.config.sign_out_timeout


def raises(self: Any, event: Any, now: float) -> None:
    raise KeyError(event.invitation)


def sends_for_ever(self: Any, event: Any, now: float) -> bool:
    return bool(self.send_failures >= self.config.send_failure_limit)


def beat_far_away(self: Any, event: Any, now: float) -> None:
    self.beat_due = now + 40.0


def lasts_online_only(self: Any, event: Any, now: float) -> bool:
    return self.state == "ONLINE" and Lifecycle.online_lasted(self, event, now)


def wait_a_day(self: Any, event: Any, now: float) -> None:
    self.timeout_at = now + 86_400.0


class Forgetful(Lifecycle):
    """Remembers something outside its snapshot."""

    __slots__ = ("last_seen",)

    def note_answer(self, event: Any, now: float) -> None:
        self.last_seen = now
        super().note_answer(event, now)


LIMITED = {"sign_in_attempt_limit": 2}
ANXIOUS = {"unauthorized_spread": 0.0}
