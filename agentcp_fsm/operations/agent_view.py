"""How an agent is, read from a status place and ready to be shown: nothing in it is taken on trust."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import CHART, SERVING, State

STATES = tuple(state.value for state in State)
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent of a status place."""

    place: str
    """The address of the status place."""
    agent_id: str
    state: str
    """One of the machine's states; else what the status place says."""
    since: float | None
    """Seconds in that state."""
    round_trip: float | None
    """The smoothed one, in seconds."""
    loss_rate: float | None
    losses: int
    reason: str
    """Why it is in this state."""
    last_loss: str
    """Why it was lost the last time; empty if it never was."""
    content: dict[str, Any]
    """All that the status place says."""

    @property
    def last_reason(self) -> str:
        """Why it is in this state; if it is reachable and was lost before, why that was."""
        return self.last_loss if self.last_loss and self.state in SERVING else self.reason

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.place} {self.agent_id}"

    def matches(self, wanted: str) -> bool:
        """Whether a part of what is shown of it is this text, in letters of any case."""
        shown = f"{self.agent_id} {self.state} {self.reason} {self.last_loss} {self.place}"
        return wanted.casefold() in shown.casefold()


def view_of(place: str, content: dict[str, Any]) -> AgentView:
    """Read `Health.to_dict`, as it came from a status place."""
    statistics = content.get("statistics")
    losses = _number(statistics.get("losses")) if isinstance(statistics, dict) else None
    loss = content.get("last_loss")
    return AgentView(
        place=place,
        agent_id=_text(content.get("agent_id")),
        state=_text(content.get("state")),
        since=_number(content.get("since")),
        round_trip=_number(content.get("round_trip_smoothed")),
        loss_rate=_number(content.get("loss_rate")),
        losses=int(losses or 0),
        reason=_text(content.get("reason")),
        last_loss=transition_reason(loss) if isinstance(loss, dict) else "",
        content=content,
    )


def transition_reason(transition: dict[str, Any]) -> str:
    """Why a transition happened, with its detail."""
    reason, detail = _text(transition.get("reason")), _text(transition.get("detail"))
    return f"{reason} ({detail})" if detail else reason


def duration(seconds: float | None) -> str:
    """A time in two units at most: ``12.3 s``, ``5 m 02 s``, ``3 h 20 m``, ``4 d 06 h``."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours < 24 else f"{hours // 24} d {hours % 24:02} h"


def milliseconds(seconds: float | None) -> str:
    """A round trip."""
    return NOTHING if seconds is None else f"{seconds * 1000:.1f} ms"


def percentage(share: float | None) -> str:
    """A share."""
    return NOTHING if share is None else f"{share * 100:.1f} %"


def details(view: AgentView) -> list[str]:
    """All that is known of an agent, a line each: the ways to and from its state, the last transitions, the numbers."""
    lines = [f"{view.agent_id}  {view.state} for {duration(view.since)}", view.reason, "", *diagram(view.state)]
    lines += ["", "the last transitions, the latest first"]
    transitions = view.content.get("transitions")
    for each in reversed(transitions if isinstance(transitions, list) else []):
        if isinstance(each, dict):
            at, source, dest = (_text(each.get(name)) for name in ("at", "source", "dest"))
            lines.append(f"{at}  {source} -> {dest}  {transition_reason(each)}")
    lines += ["", "health"]
    for name, value in sorted(view.content.items()):
        if isinstance(value, str | int | float) and name not in ("agent_id", "state", "reason", "since"):
            lines.append(f"{_text(name):22} {f'{value:.6g}' if isinstance(value, float) else _text(value)}")
    statistics = view.content.get("statistics")
    if isinstance(statistics, dict):
        lines += ["", "counted"] + [f"{_text(name):22} {_text(value)}" for name, value in statistics.items()]
    return lines


def diagram(state: str) -> list[str]:
    """The ways out of a state and into it, as a drawing of lines; empty for a state that the machine does not have."""
    if state not in STATES:
        return []
    ways_out: dict[str, list[str]] = {}
    ways_in: dict[str, list[str]] = {}
    for row in CHART.rows:
        if row.dest is not None and state in row.source and row.dest != state:
            _note(ways_out, str(row.dest), row.trigger)
        if row.dest == state:
            for source in row.source:
                _note(ways_in, str(source), row.trigger)
    width = max(map(len, STATES))
    lines = [f"{source:>{width}} ──▶ ┐  {', '.join(triggers)}" for source, triggers in ways_in.items()]
    box = f" {state} "
    edge = "─" * len(box)
    indent = " " * (width + 2)
    lines += [f"{indent}┌{edge}┐", f"{indent}│{box}│", f"{indent}└{edge}┘"]
    lines += [f"{indent}└──▶ {dest:{width}}  {', '.join(triggers)}" for dest, triggers in ways_out.items()]
    return lines


def _note(ways: dict[str, list[str]], other: str, trigger: str) -> None:
    triggers = ways.setdefault(other, [])
    if trigger not in triggers:
        triggers.append(trigger)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e15 else None


def _text(value: object) -> str:
    return "" if value is None else printable(str(value))[:1000]
