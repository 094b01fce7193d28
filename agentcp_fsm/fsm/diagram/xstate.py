"""The chart as the configuration of an XState machine: for XState itself, and for the tools that show and edit those.

``createMachine(config, {guards, actions})`` makes it run, or ``setup({guards, actions}).createMachine(config)``.  A row
with one condition has it as its guard, by name.  Other guards are named as they read, ``timed_out and not rejected``,
and carry the names as `params`, so that one function can serve them all; ``meta.guards`` lists them.

The order of actions is the chart's: the actions of a state's entry and exit stand among those of a transition.  XState
asks guards before it runs actions.  So a row's `prepare` stands there too, in that row and in every row that is tried
after it; the result is the same as long as it changes no guard's answer.  A final state is an ordinary one: a final
state of XState would end the machine, which then could ignore nothing.

XState ignores events without a transition.  What the chart says of them is in ``meta.otherwise``.
"""

from __future__ import annotations

import json
from typing import Any

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.names import identifiers
from agentcp_fsm.fsm.diagram.scxml import ordered_actions
from agentcp_fsm.fsm.diagram.views import check_states


def xstate(chart: Chart) -> str:
    """The chart as a JSON text that XState 5's ``createMachine`` takes.

    A state's or a trigger's name that is no identifier, in which XState could find a path or a wildcard, is replaced by
    a kind and a number; ``meta.name`` or ``meta.events`` keeps it.

    Raises ChartError if a row names a state that the chart does not have.
    """
    check_states(chart)
    return json.dumps(_Machine(chart).config(), indent=2, ensure_ascii=False) + "\n"


class _Machine:
    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.states = {str(state.name): state for state in chart.states}
        self.keys = identifiers(self.states, "state")
        self.events = identifiers(chart.triggers, "event")

    def config(self) -> dict[str, Any]:
        rows = self.chart.rows
        meta: dict[str, Any] = {
            "guards": {_guard_name(row): _guard_parts(row) for row in rows if row.guards},
            "meanings": {"guards": dict(self.chart.guards or {}), "actions": dict(self.chart.actions or {})},
            "otherwise": self.chart.otherwise,
            "events": {event: trigger for trigger, event in self.events.items() if event != trigger},
        }
        return {
            "id": self.chart.name,
            "initial": self.keys[str(self.chart.initial)],
            "meta": _filled(meta),
            "states": {self.keys[name]: self._state(name, state) for name, state in self.states.items()},
        }

    def _state(self, name: str, state: ChartState) -> dict[str, Any]:
        meta = {
            "name": "" if self.keys[name] == name else name,
            "owns": state.owns,
            "role": state.role and str(state.role),
            "final": state.final,
            "on_enter": list(state.on_enter),
            "on_exit": list(state.on_exit),
        }
        on = {self.events[trigger]: self._transitions(name, trigger) for trigger in self.chart.triggers}
        tags = [str(state.role)] if state.role else []
        return _filled({"description": state.meaning, "tags": tags, "meta": _filled(meta), "on": _filled(on)})

    def _transitions(self, name: str, trigger: str) -> list[dict[str, Any]]:
        prepared: tuple[str, ...] = ()
        transitions = []
        for row in self.chart.cell(name, trigger):
            prepared += row.prepare
            transitions.append(self._transition(name, row, prepared))
        return transitions

    def _transition(self, name: str, row: Row, prepared: tuple[str, ...]) -> dict[str, Any]:
        dest = row.leads_to(name)
        ordered = [("prepare", prepared), *ordered_actions(self.states, name, dest, row)]
        actions = [action for _, part in ordered for action in part]
        guard: object = None
        if row.guards:
            named = _guard_name(row)
            guard = named if row.conditions == (named,) else {"type": named, "params": _guard_parts(row)}
        meta = {"ignored": row.ignored} | {when: list(part) for when, part in ordered}
        return _filled(
            {
                "target": None if dest is None else self.keys[dest],
                "reenter": dest == name,
                "guard": guard,
                "actions": actions,
                "description": row.reason,
                "meta": _filled(meta),
            }
        )


def _guard_name(row: Row) -> str:
    return " and ".join(row.guards)


def _guard_parts(row: Row) -> dict[str, list[str]]:
    return {"conditions": list(row.conditions), "unless": list(row.unless)}


def _filled(content: dict[str, Any]) -> dict[str, Any]:
    """The content without its empty parts."""
    return {name: value for name, value in content.items() if value}
