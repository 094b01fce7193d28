"""The reviewer's tables say what the chart says, as a reader of Markdown sees them, for all names."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.markdown import code, markdown, text
from agentcp_fsm.fsm.diagram.table import table
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import NAMES, charts

READER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


@dataclass
class Page:
    """What a reader sees: headings, and tables with their cells' text."""

    headings: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)


def seen(token: Token) -> str:
    """The text of a line, as it is shown."""
    words = []
    for child in token.children or []:
        assert child.type in {
            "text", "text_special", "code_inline", "html_inline", "softbreak",
            "strong_open", "strong_close", "em_open", "em_close",
        }, child  # fmt: skip
        if child.type == "html_inline":
            assert child.content in {"<br>", "<code>", "</code>"}
            words.append("\n" if child.content == "<br>" else "")
        else:
            words.append("\n" if child.type == "softbreak" else child.content)
    return "".join(words)


def read(content: str) -> Page:
    page = Page()
    tokens = READER.parse(content)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "table_open":
            page.tables.append([])
        elif token.type == "tr_open":
            page.tables[-1].append([])
        elif token.type == "inline":
            assert before is not None
            if before.type in {"th_open", "td_open"}:
                page.tables[-1][-1].append(seen(token))
            elif before.type == "heading_open":
                page.headings.append(seen(token))
            else:
                page.lists.append(seen(token))
        else:
            assert token.type.removesuffix("_open").removesuffix("_close") in {
                "table", "thead", "tbody", "tr", "th", "td", "heading", "paragraph", "bullet_list", "list_item",
            }, token  # fmt: skip
    return page


def shown(name: str) -> str:
    """A name as a page shows it, but for white space, of which pages make little."""
    kept = name.replace("\r\n", "\n").replace("\n", "") if name.strip("\r\n") else name.replace("\r\n", "\n")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in kept)


def squeezed(content: str) -> str:
    return "".join(content.split())


@given(st.one_of(NAMES, st.text("*_`<>[]|\\~:&#-+1. a\n", min_size=1)))
def test_any_name_is_shown_as_it_is(name: str) -> None:
    for write in (text, code):
        (cells,) = read(f"| before | b |\n| --- | --- |\n| {write(name)} | after |\n").tables
        assert cells[1][1:] == ["after"]
        assert squeezed(cells[1][0]) == squeezed(shown(name))


@given(charts())
def test_every_row_of_any_chart_stands_with_its_state(chart: Chart) -> None:
    chart = replace(chart, undecided=None)
    page = read(markdown(chart))
    for one in page.tables:
        assert {len(row) for row in one} == {len(one[0])}
    names = [squeezed(shown(name)) for name in chart.state_names]
    assert [squeezed(row[0]) for row in page.tables[0][1:]] == names
    told = [row for one in page.tables if one[0][:2] == ["on", "if"] for row in one[1:]]
    rows = table(chart)
    assert len(told) == len(rows), "the charts drawn here ignore nothing"
    for row, line in zip(rows, told, strict=True):
        assert squeezed(line[1]) == squeezed(f"[{','.join(row.guards)}]" if row.guards else "")
        assert squeezed(line[2]) == squeezed("stays" if row.dest is None else shown(row.dest))


def test_every_change_of_state_stands_between_its_states_with_guards_and_reason() -> None:
    page = read(markdown(CHART))
    (steps,) = (one for one in page.tables if one[0][:2] == ["from", "to"])
    found = []
    source = ""
    for first, dest, cell in steps[1:]:
        source = first or source
        found += [(source, dest, line) for line in cell.split("\n")]
    expected = [
        (
            row.source[0],
            row.dest,
            " ".join([row.trigger, *([f"[{', '.join(row.guards)}]"] if row.guards else []), row.reason]),
        )
        for row in table(CHART)
        if row.dest is not None
    ]
    found = [(source, dest, line.replace(" [else]", "")) for source, dest, line in found]
    assert sorted(found) == sorted(expected)
    (matrix,) = (one for one in page.tables if one[0][0] == "from, to")
    for row in matrix[1:]:
        for dest, cell in zip(matrix[0][1:], row[1:], strict=True):
            assert set(cell.split()) == {step[2].split()[0] for step in expected if step[:2] == (row[0], dest)}


def test_every_event_is_told_in_every_state_and_the_ignored_ones_with_their_reasons() -> None:
    sections = markdown(CHART).split("\n### ")[1:]
    assert len(sections) == len(CHART.states)
    for state, section in zip(CHART.states, sections, strict=True):
        page = read("### " + section.split("\n## ")[0])
        assert page.headings == [state.name]
        assert page.lists[0].startswith(f"{state.meaning} Owns {state.owns}.")
        for trigger in CHART.triggers:
            rows = CHART.cell(state.name, trigger)
            if all(row.ignored and not row.guards for row in rows):
                assert any(
                    trigger in line.split(":")[0].split(", ") and line.endswith(f": {rows[0].reason}")
                    for line in page.lists
                )
            else:
                lines = page.tables[0]
                begin = next(index for index, line in enumerate(lines) if line[0] == trigger)
                told = [(line[1], line[3]) for line in lines[begin : begin + len(rows)]]
                assert told == [(f"[{', '.join(row.guards)}]" if row.guards else "", row.reason) for row in rows]


def test_an_event_that_is_ignored_for_two_reasons_is_told_with_its_guards() -> None:
    rows = (
        Row("go", "A", None, conditions="late", ignored=True, reason="Too late."),
        Row("go", "A", None, ignored=True, reason="Too early."),
        Row("halt", "A", None, ignored=True),
    )
    page = read(markdown(Chart("idle", "A", (ChartState("A"),), rows)))
    assert page.tables[1][1:] == [
        ["go", "[late]", "ignored", "Too late.", ""],
        ["", "", "ignored", "Too early.", ""],
    ]
    assert page.lists[-1] == "halt"
    assert "No row leads from one state to another." in page.lists


def test_the_glossaries_are_told() -> None:
    page = read(markdown(CHART))
    assert page.headings[-2:] == ["Guards", "Actions"]
    for one, meanings in zip(page.tables[-2:], (CHART.guards, CHART.actions), strict=True):
        assert dict(one[1:]) == meanings
