"""The Mermaid text says what the chart says, for ours and for any other."""

import re
from itertools import pairwise

import pytest
from hypothesis import given

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.colours import COLOURS
from agentcp_fsm.fsm.diagram.mermaid import mermaid
from agentcp_fsm.fsm.diagram.views import view_of
from agentcp_fsm.lifecycle.chart import CHART, State
from tests.diagram.strategies import charts


def drawn(text: str) -> set[tuple[str, str]]:
    """Which state leads to which, read back from a diagram's text: through boxes, into frames and out of them."""
    label = {node: name.split("</b>")[0] for node, name in re.findall(r'^  (\w+)\("<b>(.*)"\)$', text, re.MULTILINE)}
    frames: dict[str, list[str]] = {}
    entrance: dict[str, str] = {}
    boxes: dict[str, str] = dict(re.findall(r'^  (events\d+)\["(.*)"\]$', text, re.MULTILINE))
    ties: dict[str, set[str]] = {box: set() for box in boxes}
    arrows: list[tuple[str, str]] = []
    frame = None
    for line in text.splitlines():
        if match := re.match(r"  subgraph (\w+)", line):
            frame = match[1]
            frames[frame] = []
        elif line == "  end":
            frame = None
        elif match := re.match(r"  (\w+)\(\"", line):
            if frame:
                frames[frame].append(match[1])
        elif match := re.match(r"  (\w+)\(\( \)\) --> (\w+)", line):
            if frame:
                entrance[frame] = match[2]
        elif match := re.match(r"  (\w+) --- (\w+)", line):
            box, end = match.groups() if match[1] in boxes else reversed(match.groups())
            ties[box].add(end)
        elif match := re.match(r'  (\w+) -->(?:\|".*"\|)? (\w+)', line):
            arrows.append((match[1], match[2]))
    outer = {node: node for node in label} | {node: name for name, nodes in frames.items() for node in nodes}
    for box, box_text in boxes.items():
        if match := re.search(r"in every state( except<br>(.*))?$", box_text):
            others = set((match[2] or "").replace(",<br>", ", ").split(", "))
            ties[box] = {outer[node] for node, name in label.items() if name not in others}
    found: set[tuple[str, str]] = set()
    for start, dest in arrows:
        for source in ties.get(start, {start}):
            for node in frames.get(source, [source]):
                if dest not in frames or node not in frames[dest]:
                    found.add((label[node], label[entrance.get(dest, dest)]))
    return {pair for pair in found if pair[0] != pair[1]}


def led(chart: Chart) -> set[tuple[str, str]]:
    """Which state leads to which, from the rows themselves."""
    return {
        (source, row.dest)
        for row in chart.rows
        for source in chart.sources(row)
        if row.dest not in (None, SAME, source)
    }


def test_the_overview_draws_every_change_of_state_and_no_other() -> None:
    assert drawn(mermaid(CHART)) == led(CHART)


def test_every_trigger_that_changes_the_state_is_named() -> None:
    text = mermaid(CHART)
    assert all(row.trigger in text for row in CHART.rows if row.dest is not None)


def test_every_state_of_a_connection_has_a_role_and_its_colour() -> None:
    text = mermaid(CHART)
    assert [state.name for state in CHART.states] == list(State)
    assert {state.role for state in CHART.states} == set(COLOURS)
    for state in CHART.states:
        assert re.search(rf"^  class (\w+,)*{state.name}(,\w+)* {state.role}$", text, re.MULTILINE)


@pytest.mark.parametrize("view", ["full", *(f"state:{state}" for state in State)])
def test_other_views_draw_their_steps(view: str) -> None:
    steps = view_of(CHART, view).steps
    assert drawn(mermaid(CHART, view)) == {step for step in steps if step[0] != step[1]}


@given(charts())
def test_any_chart_can_be_drawn(chart: Chart) -> None:
    text = mermaid(chart)
    assert text.count("subgraph") == text.count("\n  end\n")
    assert len(set(re.findall(r'\("(?:<div>)?<b>(.*?)</b>', text))) == len(chart.states)
    if all(name.isalnum() for name in chart.state_names):
        assert drawn(text) == led(chart)
    for line in text.splitlines()[1:]:
        assert not re.search(r"[<>\"]", re.sub(r'"[^"]*"|-->', "", line)), line


@pytest.mark.parametrize(("count", "name"), [(501, "s"), (150, "s" * 400)])
def test_what_mermaid_would_refuse_for_its_size_is_refused_with_a_way_out(count: int, name: str) -> None:
    names = [f"{name}{index}" for index in range(count)]
    rows = tuple(Row("go", before, after) for before, after in pairwise([*names, names[0]]))
    ring = Chart("ring", names[0], tuple(map(ChartState, names)), rows)
    with pytest.raises(ChartError, match=r"ring: this view has \d+ arrows and .* state:NAME, or another format"):
        mermaid(ring)
    assert mermaid(ring, f"state:{names[1]}")
