"""The chart as SCXML, the W3C's language of state machines: to be run, drawn and checked by other programs.

The file runs: a host supplies the guards as variables of the data model (ECMAScript's, in expressions that Python's
reads too), sends the triggers as events, and finds the actions in order as ``<log>``.

The order of actions is the chart's, not that of SCXML, which would run a transition's content between exit and entry.
So the actions of a state's entry and exit stand in the transitions; its `on_enter` and `on_exit` are attributes.  A
row's `prepare` runs before its guards are asked.  It is a transition of its own, which raises an event; on that event
the row and those after it are tried.  A final state is a ``<state>`` as well: SCXML's ``<final>`` would end the
machine, which then could ignore nothing.

SCXML ignores events without a transition; ``chart:otherwise`` is what the chart says of them.

Attributes and elements of a namespace of our own hold the rest, for which SCXML has no place.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.names import identifiers, xml_text
from agentcp_fsm.fsm.diagram.views import check_states

SCXML_NAMESPACE = "http://www.w3.org/2005/07/scxml"
CHART_NAMESPACE = "urn:agentcp-fsm:chart:1"
FALSE = "1 == 0"
"""False in ECMAScript and in Python alike."""


def scxml(chart: Chart) -> str:
    """The chart as an SCXML document.

    A name that SCXML would not accept (of a state: an XML name; of a guard: one of ECMAScript), or to which an
    interpreter gives a meaning of its own, is replaced by a kind and a number; of the chart's name only such characters
    are.  ``chart:name`` keeps the name.  A character that XML cannot hold becomes U+FFFD.

    Raises ChartError if a row names a state that the chart does not have.
    """
    check_states(chart)
    tree = _Document(chart).root()
    ET.indent(tree)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(tree, encoding="unicode")}\n'


class _Document:
    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.states = {str(state.name): state for state in chart.states}
        self.ids = identifiers(self.states, "state")
        self.events = identifiers(chart.triggers, "event")
        used = dict.fromkeys(name for row in chart.rows for name in row.conditions + row.unless)
        self.variables = identifiers({**(chart.guards or {}), **used}, "guard")
        self.prepared = 0

    def root(self) -> ET.Element:
        token = re.sub(r"[^A-Za-z0-9_.:-]", "_", self.chart.name) or "chart"  # a name token of XML
        root = _element(
            None,
            "scxml",
            {
                "xmlns": SCXML_NAMESPACE,
                "xmlns:chart": CHART_NAMESPACE,
                "version": "1.0",
                "name": token,
                "datamodel": "ecmascript",
                "initial": self.ids[str(self.chart.initial)],
                "chart:otherwise": self.chart.otherwise,
            }
            | _named(self.chart.name, token),
        )
        if self.variables:
            data = _element(root, "datamodel", {})
            for name, variable in self.variables.items():
                meaning = (self.chart.guards or {}).get(name, "")
                told = {"chart:meaning": meaning} | _named(name, variable)
                _element(data, "data", {"id": variable, "expr": FALSE} | told)
        for name, meaning in (self.chart.actions or {}).items():
            _element(root, "chart:action", {"name": name, "meaning": meaning})
        for trigger, event in self.events.items():
            if trigger != event:
                _element(root, "chart:event", {"id": event, "name": trigger})
        for name, state in self.states.items():
            self._state(root, name, state)
        return root

    def _state(self, root: ET.Element, name: str, state: ChartState) -> None:
        told = {
            "chart:meaning": state.meaning,
            "chart:owns": state.owns,
            "chart:role": state.role or "",
            "chart:final": "true" if state.final else "",
            "chart:on_enter": " ".join(state.on_enter),
            "chart:on_exit": " ".join(state.on_exit),
        }
        node = _element(root, "state", {"id": self.ids[name]} | _named(name, self.ids[name]) | told)
        for trigger in self.chart.triggers:
            event = self.events[trigger]
            for row in self.chart.cell(name, trigger):
                if row.prepare:
                    self.prepared += 1
                    raised = f"prepared.{self.prepared}"  # no trigger is called so: see names
                    first = _element(node, "transition", {"event": event})
                    _log(first, "prepare", row.prepare)
                    _element(first, "raise", {"event": raised})
                    event = raised
                self._transition(node, name, event, row)

    def _transition(self, node: ET.Element, name: str, event: str, row: Row) -> None:
        dest = row.leads_to(name)
        guards = [f"{self.variables[guard]} === true" for guard in row.conditions]
        guards += [f"{self.variables[guard]} === false" for guard in row.unless]
        transition = _element(
            node,
            "transition",
            {
                "event": event,
                "cond": " && ".join(guards),
                "target": "" if dest is None else self.ids[dest],
                "chart:ignored": "true" if row.ignored else "",
                "chart:reason": row.reason,
            },
        )
        for when, actions in ordered_actions(self.states, name, dest, row):
            _log(transition, when, actions)


def ordered_actions(
    states: Mapping[str, ChartState], source: str, dest: str | None, row: Row
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The actions of a row that is taken, in order: (when, their names)."""
    yield "before", row.before
    if dest is not None:
        yield "on_exit", states[source].on_exit
        yield "on_enter", states[dest].on_enter
    yield "after", row.after


def _log(parent: ET.Element, when: str, actions: Iterable[str]) -> None:
    for action in actions:
        _element(parent, "log", {"label": action, "chart:when": when})


def _named(name: str, chosen: str) -> dict[str, str]:
    return {} if name == chosen else {"chart:name": name}


def _element(parent: ET.Element | None, tag: str, attributes: Mapping[str, str]) -> ET.Element:
    """A new element, without the attributes that are empty."""
    told = {name: xml_text(value) for name, value in attributes.items() if value}
    return ET.Element(tag, told) if parent is None else ET.SubElement(parent, tag, told)
