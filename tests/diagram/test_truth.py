"""Every picture, text and table claims what the chart says, and leaves no change of state out."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.fsm.diagram import diff_picture
from agentcp_fsm.fsm.diagram.diff import difference
from agentcp_fsm.fsm.diagram.dot import dot
from agentcp_fsm.fsm.diagram.markdown import markdown
from agentcp_fsm.fsm.diagram.mermaid import mermaid
from agentcp_fsm.fsm.diagram.page import page
from agentcp_fsm.fsm.diagram.picture import picture
from agentcp_fsm.fsm.diagram.plantuml import plantuml
from agentcp_fsm.fsm.diagram.svg import svg
from agentcp_fsm.fsm.diagram.views import steps, view_of
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.claims import Claim, Claims, of_dot, of_markdown, of_mermaid, of_plantuml, of_svg
from tests.fsm.charts import CHARTS
from tests.fsm.loose import DEFAULTS

DOT = "agentcp_fsm.fsm.diagram.dot"
READERS: dict[str, Callable[[Chart, str], Claims]] = {
    "mermaid": lambda chart, view: of_mermaid(mermaid(chart, view)),
    "dot": lambda chart, view: of_dot(dot(chart, view)),
    "plantuml": lambda chart, view: of_plantuml(plantuml(chart, view), line_by_line=view != "overview"),
}
ALL = (CHART, *CHARTS)
NAMED = {chart.name: chart for chart in ALL}


@st.composite
def worded_charts(draw: st.DrawFn) -> Chart:
    """Any rows, with names of several words, and with rows that lead to some places alike."""
    names = draw(st.permutations(["A", "B", "C d", "E", "F or g"]))[: draw(st.integers(1, 5))]
    sources = st.just((EVERY,)) | st.lists(st.sampled_from(names), min_size=1, unique=True)
    triggers = st.sampled_from(["go", "stop now", "the time for it is up at last", "x"])
    guards = st.lists(st.sampled_from(["sure", "very ready", "one of the long guards that there are"]), unique=True)
    dests = st.none() | st.just(SAME) | st.sampled_from(names)
    rows = draw(st.lists(st.builds(Row, triggers, sources, dests, conditions=guards, unless=guards), max_size=14))
    rows = [replace_ignored(row, draw(st.booleans())) for row in rows]
    undecided = draw(st.none() | st.sampled_from(DEFAULTS))
    return Chart("any", names[0], tuple(map(ChartState, names)), tuple(rows), undecided=undecided)


def replace_ignored(row: Row, ignored: bool) -> Row:
    return Row(
        row.trigger, row.source, row.dest, conditions=row.conditions, unless=row.unless,
        ignored=ignored and row.dest is None,
    )  # fmt: skip


def truth(chart: Chart) -> set[Claim]:
    """What the rows say.  A row without guards is "else" if its event has other rows that are not just ignored.

    A row for every state says nothing of a state in which another row before it, without guards, decides the event.
    """
    found: set[Claim] = set()
    for state in map(str, chart.state_names):
        for trigger in {row.trigger for row in chart.rows}:
            its: list[Row] = []
            for row in chart.rows:
                over = any(not (earlier.conditions or earlier.unless) and earlier != row for earlier in its)
                if row.trigger == trigger and (state in row.source or (EVERY in row.source and not over)):
                    its.append(row)
            for row in its:
                guards = (*row.conditions, *(f"not {name}" for name in row.unless))
                shared = any(other is not row and not other.ignored for other in its)
                if row.dest is not None or not row.ignored:
                    dest = None if row.dest is None else state if row.dest == SAME else str(row.dest)
                    found.add((state, str(trigger), guards or (("else",) if shared else ()), dest))
    return found


def joined(pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The states that the arrows of a difference lead from and to, without the marks of what changed in a state."""
    plain = {tuple(re.sub(r"^[-+~] (.*?)(: .*)?$", r"\1", title) for title in pair) for pair in pairs}
    return {(source, dest) for source, dest in plain if source != dest}


@given(worded_charts(), worded_charts())
def test_a_difference_joins_the_states_that_either_chart_joins(old: Chart, new: Chart) -> None:
    """What did not change is drawn as in the overview; an arrow without a label stands for a step of both charts."""
    joins_what_either_joins(old, new)


@pytest.mark.parametrize("name", NAMED)
def test_a_difference_from_a_real_chart_joins_the_same_states(name: str) -> None:
    for end in range(1, len(NAMED[name].rows), 7):
        joins_what_either_joins(NAMED[name], replace(NAMED[name], rows=NAMED[name].rows[:end]))


def joins_what_either_joins(old: Chart, new: Chart) -> None:
    claims = of_dot(diff_picture.dot(difference(old, new)))
    before, after = ({step for step in steps(chart) if step[0] != step[1]} for chart in (old, new))
    assert joined(claims.pairs) == before | after
    assert joined(claims.bare) <= before & after


def test_a_difference_keeps_the_overview_s_frames() -> None:
    found = difference(CHART, replace(CHART, rows=CHART.rows[1:]))
    assert diff_picture.picture(found).frames == picture(CHART, "overview").frames


OTHERWISE = {
    None: "",
    "ignore": "An event that no row decides is ignored.",
    "raise": "An event that no row decides is an error.",
}


def expected(chart: Chart, view: str, format: str) -> set[Claim]:
    """What a view should claim; a format may say in which states an event stays."""
    everything = truth(chart)
    if view == "overview":
        return {
            claim for claim in everything if claim[3] is not None and (claim[0] != claim[3] or format == "plantuml")
        }
    steps = set(view_of(chart, view).steps)
    staying = set(chart.state_names) if view == "full" else set()
    if view.startswith("state:") and format != "plantuml":
        staying = {view.removeprefix("state:")}
    return {
        claim for claim in everything if (claim[0], claim[3]) in steps or (claim[3] is None and claim[0] in staying)
    }


def views(chart: Chart) -> list[str]:
    first = chart.state_names[0]
    paths = [f"path:{first}..{dest}" for source, dest in view_of(chart, "full").steps if source == first]
    return ["overview", "full", *(f"state:{name}" for name in chart.state_names), *paths]


def check(chart: Chart, view: str, format: str, claims: Claims) -> None:
    assert len(claims.found) == len(set(claims.found)) or view == "overview", "nothing is said twice"
    assert set(claims.found) == expected(chart, view, format)
    assert claims.otherwise == OTHERWISE[chart.undecided]
    assert len(claims.pairs) == len(set(claims.pairs)), "two arrows lead from one state to another"


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("name", NAMED)
def test_each_view_of_each_chart_claims_what_its_rows_say(name: str, format: str) -> None:
    chart = NAMED[name]
    for view in views(chart):
        check(chart, view, format, READERS[format](chart, view))


@pytest.mark.parametrize("format", READERS)
@given(chart=worded_charts())
def test_so_does_each_view_of_any_chart(format: str, chart: Chart) -> None:
    for view in views(chart):
        check(chart, view, format, READERS[format](chart, view))


@pytest.mark.parametrize("name", NAMED)
def test_a_grid_claims_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{DOT}.MANY_FORKS", 0)
    chart = NAMED[name]
    for view in ("overview", "full"):
        claims = of_dot(dot(chart, view))
        check(chart, view, "dot", claims)
        assert {(source, dest) for source, _, _, dest in claims.found if dest is not None} == set(claims.pairs)
        assert set(of_svg(svg(chart, view)).found) == expected(chart, view, "svg")


@given(chart=worded_charts())
def test_so_does_a_grid_of_any_chart(chart: Chart) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{DOT}.MANY_FORKS", 0)
        for view in ("overview", "full"):
            check(chart, view, "dot", of_dot(dot(chart, view)))


@pytest.mark.parametrize("name", NAMED)
def test_an_svg_and_the_page_claim_the_same(name: str) -> None:
    chart = NAMED[name]
    drawn = {view: svg(chart, view) for view in ("overview", "full")}
    for view, text in drawn.items():
        assert set(of_svg(text).found) == expected(chart, view, "svg")


@settings(max_examples=5)
@given(worded_charts())
def test_so_does_an_svg_of_any_chart(chart: Chart) -> None:
    for view in ("overview", "full", f"state:{chart.initial}"):
        claims = of_svg(svg(chart, view))
        assert set(claims.found) == expected(chart, view, "svg")
        assert claims.otherwise == OTHERWISE[chart.undecided]


def test_the_page_shows_these_pictures() -> None:
    (overview, full) = pictures_of(page(CHARTS[1]))
    assert set(of_svg(overview).found) == expected(CHARTS[1], "overview", "svg")
    assert set(of_svg(full).found) == expected(CHARTS[1], "full", "svg")


def pictures_of(text: str) -> list[str]:
    return [f"<svg{part.partition('</svg>')[0]}</svg>" for part in text.split("<svg")[1:]]


@given(worded_charts())
def test_the_table_of_steps_claims_what_the_rows_say(chart: Chart) -> None:
    claims = of_markdown(markdown(chart))
    assert set(claims.found) == {claim for claim in truth(chart) if claim[3] is not None}
    assert claims.otherwise == OTHERWISE[chart.undecided]


@pytest.mark.parametrize("name", NAMED)
def test_so_do_the_tables_of_each_chart(name: str) -> None:
    chart = NAMED[name]
    bare = replace(chart, rows=tuple(replace_ignored(row, row.ignored) for row in chart.rows), actions=None)
    assert set(of_markdown(markdown(bare)).found) == {claim for claim in truth(chart) if claim[3] is not None}


@given(st.sampled_from(ALL) | worded_charts())
def test_the_overview_has_no_more_arrows_than_the_full_view(chart: Chart) -> None:
    for format in READERS:
        overview, full = (READERS[format](chart, view).arrows for view in ("overview", "full"))
        assert len(overview) <= len(full)
    few, many = (mermaid(chart, view).count("-->") for view in ("overview", "full"))
    assert few <= many, "the dots of frames are counted"


def test_triggers_with_different_guards_are_kept_apart() -> None:
    states = tuple(map(ChartState, "ABC"))
    rows = (Row("x", "A", "B", conditions="g"), Row("x", "A", "C"), Row("y", "A", "C"))
    text = mermaid(Chart("two", "A", states, rows))
    assert '  A -->|"x [g]"| B\n' in text
    assert '  A -->|"x [else]#59;<br>y"| C\n' in text
