"""A difference shows everything that differs, and nothing else."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import SAME, Chart, ChartState, Role, Row
from agentcp_fsm.fsm.diagram import diff_picture
from agentcp_fsm.fsm.diagram.diff import CellChange, Kind, as_data, difference
from agentcp_fsm.fsm.diagram.diff_markdown import markdown
from agentcp_fsm.fsm.diagram.diff_text import details, lines, summary
from agentcp_fsm.fsm.diagram.document import chart_of, document
from agentcp_fsm.fsm.diagram.markdown import markdown as chart_tables
from agentcp_fsm.fsm.diagram.plantuml import plantuml
from agentcp_fsm.fsm.diagram.scxml import scxml
from agentcp_fsm.fsm.diagram.table import cell
from agentcp_fsm.fsm.diagram.xstate import xstate
from agentcp_fsm.lifecycle.chart import BACKOFF, CHART, DEGRADED, ONLINE, STOPPING
from agentcp_fsm.testing import strategies
from tests.diagram.strategies import charts

SVG = "{http://www.w3.org/2000/svg}text"


@st.composite
def edited(draw: st.DrawFn, chart: Chart) -> Chart:
    """The chart after some edits: rows taken out, put elsewhere, altered; states altered."""
    rows = list(chart.rows)
    for _ in range(draw(st.integers(0, 3))):
        if not rows:
            break
        index = draw(st.integers(0, len(rows) - 1))
        row = rows.pop(index)
        what = draw(st.sampled_from(["remove", "move", "dest", "conditions", "after", "reason", "source"]))
        if what == "remove":
            continue
        if what == "move":
            rows.insert(draw(st.integers(0, len(rows))), row)
            continue
        words = st.lists(st.sampled_from(["g0", "g1", "a0", "a1"]), unique=True).map(tuple)
        values: dict[str, st.SearchStrategy[Any]] = {
            "source": st.lists(st.sampled_from(chart.state_names), min_size=1, unique=True),
            "dest": st.sampled_from([None, SAME, *chart.state_names]),
            "conditions": words,
            "after": words,
            "reason": st.sampled_from(["", "because"]),
        }
        rows.insert(index, dataclasses.replace(row, **{what: draw(values[what])}))
    states = list(chart.states)
    if draw(st.booleans()):
        index = draw(st.integers(0, len(states) - 1))
        states[index] = dataclasses.replace(states[index], meaning="Altered.", role=Role.WAITING, on_enter=("a0",))
    return Chart(chart.name, chart.initial, tuple(states), tuple(rows), chart.guards, chart.actions)


pairs = st.one_of(
    st.tuples(charts(), charts()),
    strategies.charts().flatmap(lambda chart: st.tuples(st.just(chart), edited(chart))),
    edited(CHART).map(lambda chart: (CHART, chart)),
)


def applied(old: tuple[Row, ...], changes: list[CellChange]) -> tuple[Row, ...]:
    """The rows of a cell after its reported changes."""
    told = {change.old_position for change in changes}
    kept = iter([row for position, row in enumerate(old) if position not in told])
    placed = {change.new_position: change.new for change in changes if change.new_position is not None}
    size = len(old) + sum({Kind.ADDED: 1, Kind.REMOVED: -1, Kind.CHANGED: 0}[change.kind] for change in changes)
    rows = [placed[position] if position in placed else next(kept) for position in range(size)]
    assert next(kept, None) is None
    assert None not in rows
    return tuple(row for row in rows if row is not None)


@given(pairs)
def test_the_changes_of_a_cell_make_the_new_one_of_the_old(pair: tuple[Chart, Chart]) -> None:
    """No change is left out, and nothing unchanged is reported."""
    old, new = pair
    found = difference(old, new)
    for state in {*old.state_names, *new.state_names}:
        for trigger in {*old.triggers, *new.triggers}:
            changes = [change for change in found.cells if (change.state, change.trigger) == (state, trigger)]
            before, after = cell(old, state, trigger), cell(new, state, trigger)
            assert bool(changes) == (before != after)
            assert applied(before, changes) == after
            for change in changes:
                assert change.old is None or change.old == before[change.old_position or 0]
                assert change.kind is not Kind.CHANGED or change.moved or change.old != change.new
    assert {change.name for change in found.states} == {
        name
        for name in {*old.state_names, *new.state_names}
        if [state for state in old.states if state.name == name]
        != [state for state in new.states if state.name == name]
    }
    told = [(state, change.cell.trigger) for change in found.rows() for state in change.states]
    assert sorted(told) == sorted((change.state, change.trigger) for change in found.cells)
    words = [line.split(":")[0] for _, line in lines(found)]
    assert len([line for line in words if re.match(r"  [-+~] ", line)]) == len(found.rows()) + len(found.states)


@given(charts())
def test_a_chart_does_not_differ_from_itself_or_its_document(chart: Chart) -> None:
    for other in (chart, chart_of(json.loads(json.dumps(document(chart))))):
        found = difference(chart, other)
        assert not found
        assert not found.behaviour
        assert summary(found) == "no differences"
        assert list(lines(found)) == [(None, "no differences")]


@given(charts())
def test_rows_written_one_by_one_are_the_same_chart(chart: Chart) -> None:
    rows = tuple(
        row for state in chart.state_names for trigger in chart.triggers for row in cell(chart, state, trigger)
    )
    assert not difference(chart, dataclasses.replace(chart, rows=rows))


@given(pairs)
def test_a_difference_is_told_from_either_side(pair: tuple[Chart, Chart]) -> None:
    there, back = difference(*pair), difference(*reversed(pair))
    assert bool(there) == bool(back)
    assert there.behaviour == back.behaviour
    assert {(cell.state, cell.trigger) for cell in there.cells} == {(cell.state, cell.trigger) for cell in back.cells}


def replaced(index: int, row: Row) -> Chart:
    return dataclasses.replace(CHART, rows=(*CHART.rows[:index], row, *CHART.rows[index + 1 :]))


def index_of(trigger: str, source: str, dest: str | None) -> int:
    return next(
        index
        for index, row in enumerate(CHART.rows)
        if row.trigger == trigger and source in row.source and row.dest == dest
    )


def test_rows_that_changed_places_in_a_cell_are_a_change_of_behaviour() -> None:
    index = index_of("unauthorized", ONLINE, BACKOFF) + 1
    rows = list(CHART.rows)
    rows[index], rows[index + 1] = rows[index + 1], rows[index]
    found = difference(CHART, dataclasses.replace(CHART, rows=tuple(rows)))
    assert found.behaviour
    (change,) = found.rows()
    assert change.states == (ONLINE, DEGRADED)
    assert details(change.cell) == [("order", "tried 4th", "tried 5th")]
    assert summary(found) == "1 row changed: behaviour changes"


def test_rows_that_changed_places_in_the_file_only_are_no_change() -> None:
    assert not difference(
        CHART, dataclasses.replace(CHART, rows=tuple(sorted(CHART.rows, key=lambda row: row.trigger)))
    )


def test_a_row_whose_guards_changed_is_told_as_one_change() -> None:
    index = index_of("receive_failed", ONLINE, DEGRADED)
    row = CHART.rows[index]
    guarded = dataclasses.replace(row, conditions=("timed_out",), unless=())
    (change,) = difference(CHART, replaced(index, guarded)).rows()
    assert details(change.cell) == [("guards", "[not receive_failures_exhausted]", "[timed_out]")]


def test_words_are_told_from_behaviour() -> None:
    index = index_of("stop", BACKOFF, STOPPING)
    row = CHART.rows[index]
    words = difference(CHART, replaced(index, dataclasses.replace(row, reason="Why not.")))
    assert words
    assert not words.behaviour
    assert summary(words) == "1 row changed: only words change, not behaviour"
    deeds = difference(CHART, replaced(index, dataclasses.replace(row, after=())))
    assert deeds.behaviour
    glossary = difference(CHART, dataclasses.replace(CHART, guards={**(CHART.guards or {}), "rejected": "no"}))
    assert [line for _, line in lines(glossary)][-1] == "  ~ rejected: retrying soon cannot mend it → no"
    assert not glossary.behaviour


@pytest.mark.parametrize(
    ("initial", "row"),
    [("A", Row("go", "A", "Z")), ("A", Row("go", "Z", "A")), ("Z", Row("go", "A", "A"))],
    ids=["dest", "source", "initial"],
)
def test_a_chart_that_names_a_state_it_does_not_have_is_refused_everywhere(initial: str, row: Row) -> None:
    bad, good = Chart("bad", initial, (ChartState("A"),), (row,)), Chart("good", "A", (ChartState("A"),), ())
    uses: list[Callable[[], object]] = [
        lambda: difference(bad, good),
        lambda: difference(good, bad),
        *(lambda write=write: write(bad) for write in (scxml, xstate, plantuml, chart_tables)),
    ]
    for use in uses:
        with pytest.raises(ChartError, match="'Z'"):
            use()


@pytest.mark.parametrize("part", [{"initial": BACKOFF}, {"name": "link"}])
def test_the_beginning_and_the_name_are_compared(part: dict[str, Any]) -> None:
    found = difference(CHART, dataclasses.replace(CHART, **part))
    assert found
    assert found.behaviour == ("initial" in part)
    assert any(str(*part.values()) in line for _, line in lines(found))
    assert str(*part.values()) in markdown(found)


def test_a_state_that_is_new_is_told_with_all_its_rows() -> None:
    rows = (Row("go", "A", "B", reason="To B."), Row("go", "B", "A"), Row("halt", ("A", "B"), None, ignored=True))
    old = Chart("two", "A", (ChartState("A"), ChartState("B")), rows)
    states = (*old.states, ChartState("C", meaning="New.", owns="a lamp"))
    new = Chart(
        "two",
        "A",
        states,
        (Row("go", "A", "C", reason="To C."), *rows[1:], Row("go", "C", "A"), Row("halt", "C", None)),
    )
    text = [line for _, line in lines(difference(old, new))]
    assert text == [
        "2 rows added, 1 row changed, 1 state added: behaviour changes",
        "",
        "states",
        "  + C",
        "      meaning: New.",
        "      owns: a lamp",
        "",
        "rows",
        "  ~ go in A → C  (To C.)",
        "      leads to: B → C",
        "      reason: To B. → To C.",
        "  + go in C → A",
        "  + halt in C → stays",
    ]


def test_what_holds_in_several_states_is_told_so_that_it_holds_in_each() -> None:
    """A row that led back to each of two states used to be shown as if it led to the first of them."""
    states = tuple(map(ChartState, "ABC"))
    old = Chart("two", "A", states, (Row("go", ("A", "B"), SAME), Row("go", "C", "A")))
    new = Chart("two", "A", states, (Row("go", ("A", "B"), "C"), Row("go", "C", "A")))
    assert [line for _, line in lines(difference(old, new))][-2:] == [
        "  ~ go in A, B → C",
        "      leads to: the same, anew → C",
    ]
    assert [line for _, line in lines(difference(new, old))][-2:] == [
        "  ~ go in A, B → the same, anew",
        "      leads to: C → the same, anew",
    ]
    (row,) = as_data(difference(new, old))["rows"]
    assert (row["dest"], row["parts"]["dest"]) == ("=", {"old": "C", "new": "="})


@given(pairs)
def test_it_is_data_for_programs(pair: tuple[Chart, Chart]) -> None:
    found = difference(*pair)
    data = json.loads(json.dumps(as_data(found)))
    assert data["behaviour"] == found.behaviour
    assert len(data["rows"]) == len(found.rows())
    for told, change in zip(data["rows"], found.rows(), strict=True):
        assert told["states"] == list(change.states)
        assert set(told["parts"]) == set(change.cell.parts)
    assert [told["name"] for told in data["states"]] == [change.name for change in found.states]


def test_each_kind_of_change_has_its_look_in_the_picture() -> None:
    states = (ChartState("A"), ChartState("B"))
    old = Chart("two", "A", states, (Row("go", "A", "B", after="hum"), Row("back", "B", "A"), Row("jump", "A", "B")))
    new = Chart(
        "two", "A", (*states, ChartState("C")), (Row("go", "A", "B"), Row("back", "B", "A"), Row("go", "C", "C"))
    )
    found = difference(old, new)
    root = ElementTree.fromstring(diff_picture.svg(found))
    groups = {
        (group.get("class"), group.get("data-edges") or group.get("data-state")): [
            text.text for text in group.iter(SVG)
        ]
        for group in root
        if group.get("data-edges") or group.get("data-state")
    }
    assert groups == {
        ("edge changed", "edge-A-B"): ["~ go: after"],
        ("edge removed", "edge-A-B"): ["- jump"],
        ("edge", "edge-B-A"): [],
        ("edge added", "edge-C-C"): ["+ go"],
        ("node plain", "A"): ["A"],
        ("node plain", "B"): ["B"],
        ("node plain added", "C"): ["+ C"],
    }
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    lines = diff_picture.mermaid(found).splitlines()
    links = [line for line in lines if re.search(r"-->|==>|-\.->", line)]
    labels = [re.sub("</?div>", "", line).split("|")[1] for line in links]
    assert labels == ['"#126; go#58; after"', '"- jump"', '"#43; go"']
    styles = [line.split()[1] for line in lines if "linkStyle" in line]
    assert styles == ["2", "1", "0"]  # added, removed, changed


@given(pairs)
def test_markdown_and_pictures_can_be_made_of_any_difference(pair: tuple[Chart, Chart]) -> None:
    """What they say is looked at by people; that no name breaks out of them is seen here."""
    found = difference(*pair)
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(markdown(found))
    tables = [token for token in tokens if token.type == "table_open"]
    parts = [found.rows(), found.states, found.guards, found.actions]
    assert len(tables) == sum(map(bool, parts))
    assert sum(token.type == "tr_open" for token in tokens) == len(tables) + sum(map(len, parts))
    for line in diff_picture.mermaid(found).splitlines():
        assert not re.search(r"[<>\"]", re.sub(r'"[^"]*"|-->|==>|-\.->', "", line)), line
    graph = diff_picture.dot(found)
    names = {*found.old.state_names, *found.new.state_names}
    assert len(re.findall(r'^ +"state-[\w.]*" \[id=', graph, re.MULTILINE)) == len(names)


def test_the_default_of_a_chart_is_compared_too() -> None:
    rows = (Row("go", "A", "B"), Row("back", "B", "A"))
    chart = Chart("c", "A", (ChartState("A"), ChartState("B")), rows, undecided="raise")
    lenient = dataclasses.replace(chart, undecided="ignore")
    found = difference(chart, lenient)
    assert found.behaviour
    text = "An event that no row decides is an error. → An event that no row decides is ignored."
    assert f"~ default: {text}" in [line for _, line in lines(found)]
    assert f"The default is {text}." in markdown(found)
    assert as_data(found)["undecided"] == dict(zip(("old", "new"), found.undecided or (), strict=True))
    spelled_out = (*rows, Row("go", "B", None, ignored=True), Row("back", "A", None, ignored=True))
    same = dataclasses.replace(chart, rows=spelled_out, undecided="ignore")
    assert [set(change.parts) for change in difference(lenient, same).cells] == [{"reason"}, {"reason"}]
    assert not difference(lenient, same).behaviour
    for export in (scxml, xstate):
        assert "An event that no row decides is an error." in export(chart)
