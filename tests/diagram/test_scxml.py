"""The SCXML file is valid, loses nothing, and does what the chart does in an interpreter that is not ours."""

import contextlib
import io
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from statemachine.io.scxml.processor import SCXMLProcessor

from agentcp_fsm.fsm.chart import SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.scxml import CHART_NAMESPACE, SCXML_NAMESPACE, scxml
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import charts
from tests.diagram.walks import Event, Step, Walk, World, walk, walks

CHART_ = f"{{{CHART_NAMESPACE}}}"
SCXML_ = f"{{{SCXML_NAMESPACE}}}"

ALLOWED = {
    "scxml": ({"initial", "name", "version", "datamodel"}, {"datamodel", "state"}),
    "datamodel": (set(), {"data"}),
    "data": ({"id", "expr"}, set()),
    "state": ({"id"}, {"transition"}),
    "transition": ({"event", "cond", "target"}, {"log", "raise"}),
    "log": ({"label"}, set()),
    "raise": ({"event"}, set()),
}
"""Of the elements that we use: the attributes and children that the W3C's recommendation gives them."""
NC_NAME = re.compile(r"[^\W\d][\w.-]*")
COND = re.compile(r"[^\W\d]\w* === (true|false)( && [^\W\d]\w* === (true|false))*")


class Printed(io.TextIOBase):
    """Where the interpreter prints its ``<log>``s, which are the actions: each a line, in one piece."""

    def __init__(self, world: World) -> None:
        self.world = world

    def write(self, text: str) -> int:
        if text != "\n":
            self.world.act(text)
        return len(text)


class Told(dict[str, bool]):
    """The guards' answers, passed to the interpreter's data model as they change."""

    def __init__(self, model: object, variables: dict[str, str]) -> None:
        self.model, self.variables = model, variables

    def __setitem__(self, guard: str, says: bool) -> None:
        setattr(self.model, self.variables[guard], says)

    def update(self, says: dict[str, bool]) -> None:  # type: ignore[override]
        for guard, value in says.items():
            self[guard] = value


def names(root: ET.Element, elements: str, identifier: str = "id") -> dict[str, str]:
    """The chart's names, by what the file calls them."""
    return {
        element.get(identifier, ""): element.get(f"{CHART_}name") or element.get("name") or element.get("id") or ""
        for element in root.iterfind(elements)
    }


def interpret(walked: Walk) -> list[Step]:
    """The walk in python-statemachine, which is given nothing but the file, the guards and the events."""
    text = scxml(walked.chart)
    root = ET.fromstring(text)
    states = names(root, f"{SCXML_}state")
    variables = {name: variable for variable, name in names(root, f".//{SCXML_}data").items()}
    events = {name: event for event, name in names(root, f"{CHART_}event").items()}
    processor = SCXMLProcessor()
    processor.parse_scxml("walk", text)
    machine = processor.start()  # type: ignore[no-untyped-call]
    world = World(walked.flips)
    world.guards = Told(machine.model, variables)
    steps = []
    for event in walked.events:
        world.guards.update(event.guards)
        with contextlib.redirect_stdout(Printed(world)):
            machine.send(events.get(event.trigger, event.trigger))
        (state,) = machine.configuration_values
        steps.append(Step(states[state], world.taken()))
    return steps


@given(walks())
def test_an_independent_interpreter_does_the_same(walked: Walk) -> None:
    assert interpret(walked) == walked.steps


def check(text: str) -> ET.Element:
    """Hold a document to the W3C's recommendation, as far as we use its language; other namespaces are free."""
    root = ET.fromstring(text)
    assert root.tag == f"{SCXML_}scxml"
    assert root.get("version") == "1.0"
    identifiers = [element.get("id") for element in root.iter() if element.tag.startswith(SCXML_) and element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    states = [element.get("id") for element in root.iter(f"{SCXML_}state")]
    assert root.get("initial") in states
    for element in root.iter():
        if not element.tag.startswith(SCXML_):
            assert element.tag.startswith(CHART_)
            continue
        attributes, children = ALLOWED[element.tag.removeprefix(SCXML_)]
        assert {name for name in element.attrib if not name.startswith(CHART_)} <= attributes
        assert {child.tag.removeprefix(SCXML_) for child in element if child.tag.startswith(SCXML_)} <= children
        if element.tag in {f"{SCXML_}state", f"{SCXML_}data"}:
            assert NC_NAME.fullmatch(element.get("id", ""))
        if element.tag == f"{SCXML_}transition":
            assert NC_NAME.fullmatch(element.get("event", ""))
            assert COND.fullmatch(element.get("cond", "g === true"))
            assert element.get("target", states[0]) in states
    return root


@given(charts())
def test_any_chart_makes_a_valid_document_that_loads(chart: Chart) -> None:
    text = scxml(chart)
    root = check(text)
    assert [len(state) for state in root.iter(f"{SCXML_}state")] == [
        sum(len(chart.cell(name, trigger)) for trigger in chart.triggers) for name in chart.state_names
    ]
    SCXMLProcessor().parse_scxml("any", text)


def test_nothing_that_the_chart_says_is_lost() -> None:
    root = check(scxml(CHART))
    states = list(root.iter(f"{SCXML_}state"))
    assert [
        tuple(state.get(name) for name in ("id", f"{CHART_}meaning", f"{CHART_}owns", f"{CHART_}role"))
        for state in states
    ] == [(state.name, state.meaning, state.owns, state.role) for state in CHART.states]
    assert {data.get("id"): data.get(f"{CHART_}meaning") for data in root.iter(f"{SCXML_}data")} == CHART.guards
    assert {action.get("name"): action.get("meaning") for action in root.iter(f"{CHART_}action")} == CHART.actions
    for state in states:
        for trigger in CHART.triggers:
            told = [
                (
                    transition.get("cond", ""),
                    transition.get("target"),
                    transition.get(f"{CHART_}reason"),
                    transition.get(f"{CHART_}ignored") == "true",
                    [(log.get(f"{CHART_}when"), log.get("label")) for log in transition],
                )
                for transition in state
                if transition.get("event") == trigger
            ]
            assert told == [
                (
                    " && ".join(
                        [f"{guard} === true" for guard in row.conditions]
                        + [f"{guard} === false" for guard in row.unless]
                    ),
                    state.get("id") if row.dest == SAME else row.dest,
                    row.reason,
                    row.ignored,
                    [("before", action) for action in row.before] + [("after", action) for action in row.after],
                )
                for row in CHART.cell(state.get("id", ""), trigger)
            ]


def test_actions_of_entry_and_exit_run_where_the_engine_runs_them() -> None:
    """SCXML itself would leave the state before the transition's own content, and enter the first one at the start."""
    states = (
        ChartState("A", on_enter=("enter_a",), on_exit=("exit_a",)),
        ChartState("B", on_enter=("enter_b",), on_exit=("exit_b",), final=True),
    )
    rows = (Row("go", "A", "B", before="b", after="a"), Row("go", "B", SAME, before="b", after="a"))
    walked = walk(Chart("order", "A", states, rows), [Event("go", {})] * 2, {})
    assert walked.steps[0] == Step("B", ["b", "exit_a", "enter_b", "a"])
    assert interpret(walked) == walked.steps


def test_what_prepare_does_is_seen_by_the_guards_after_it() -> None:
    rows = (
        Row("go", "A", "B", conditions="ready"),
        Row("go", "A", SAME, prepare="look", conditions="ready", after="done"),
        Row("go", "A", None, prepare="look_again"),
        Row("go", "B", "A"),
    )
    chart = Chart("prepare", "A", (ChartState("A"), ChartState("B")), rows)
    seen = walk(chart, [Event("go", {"ready": False})], {0: ("ready", True)})
    assert seen.steps == [Step("A", ["look", "done"])]
    unseen = walk(chart, [Event("go", {"ready": False})] * 2, {})
    assert unseen.steps == [Step("A", ["look", "look_again"])] * 2
    for walked in (seen, unseen):
        assert interpret(walked) == walked.steps


@pytest.mark.parametrize("trigger", ["error", "done", "prepared", "a.b", "*", "go on", ""])
def test_a_trigger_that_would_mean_more_to_scxml_is_renamed(trigger: str) -> None:
    rows = (Row(trigger, "A", "B"), Row(trigger, "B", "A"), Row("a", ("A", "B"), None))
    text = scxml(Chart("names", "A", (ChartState("A"), ChartState("B")), rows))
    events = {transition.get("event") for transition in check(text).iter(f"{SCXML_}transition")}
    assert events == {"event0", "a"}
