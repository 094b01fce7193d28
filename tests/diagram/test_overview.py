"""The diagram and the table say what the chart says, for ours and for any other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from agentcp_fsm.chart import CHART, State
from agentcp_fsm.diagram.__main__ import BEGIN, END, section, updated
from agentcp_fsm.diagram.colours import COLOURS
from agentcp_fsm.diagram.mermaid import mermaid
from agentcp_fsm.diagram.table import table
from agentcp_fsm.engine import SAME, Chart, Role
from tests.diagram.strategies import charts

README = Path(__file__).parents[2] / "README.md"


def drawn(text: str) -> set[tuple[str, str]]:
    """Which state leads to which, read back from a diagram's text: through boxes, into frames and out of them."""
    label: dict[str, str] = dict(re.findall(r'^  (\w+)\(\["(.*)"\]\)$', text, re.MULTILINE))
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
        elif match := re.match(r"  (\w+)\(\[", line):
            if frame:
                frames[frame].append(match[1])
        elif match := re.match(r"  (\w+)\(\( \)\) --> (\w+)", line):
            if frame:
                entrance[frame] = match[2]
        elif match := re.match(r"  (\w+) --- (\w+)", line):
            ties[match[1]].add(match[2])
        elif match := re.match(r'  (\w+) -->(?:\|".*"\|)? (\w+)', line):
            arrows.append((match[1], match[2]))
    outer = {node: node for node in label} | {node: name for name, nodes in frames.items() for node in nodes}
    for box, box_text in boxes.items():
        if box_text.startswith("every state"):
            others = set(box_text.replace(",<br>", ", ").removeprefix("every state except<br>").split(", "))
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


def test_the_readme_holds_the_present_diagram() -> None:
    text = README.read_text(encoding="utf-8")
    assert updated(text) == text, "stale: run python -m agentcp_fsm.diagram --write README.md"


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


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("role", COLOURS)
def test_colours_have_contrast(role: Role) -> None:
    """The text on its fill as WCAG asks of text (4.5); border or fill against a white and a dark page (3)."""
    colours = COLOURS[role]

    def contrast(one: str, other: str) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    assert contrast(colours.fill, colours.text) >= 4.5
    for page in ("#ffffff", "#0d1117"):
        assert max(contrast(colours.fill, page), contrast(colours.stroke, page)) >= 3


@given(charts())
def test_any_chart_can_be_drawn(chart: Chart) -> None:
    text = mermaid(chart)
    assert text.count("subgraph") == text.count("\n  end\n")
    names = set(re.findall(r'\(\["(.*)"\]\)', text))
    assert len(names) == len(chart.states)
    if all(name.isalnum() for name in chart.state_names):
        assert drawn(text) == led(chart)
    for line in text.splitlines()[1:]:
        assert not re.search(r"[<>\"]", re.sub(r'"[^"]*"|-->', "", line)), line


@given(charts())
def test_the_table_has_every_row_in_each_of_its_states_in_order(chart: Chart) -> None:
    rows = table(chart)
    assert len(rows) == sum(len(chart.sources(row)) for row in chart.rows)
    for state in chart.state_names:
        for trigger in chart.triggers:
            cell = [(row.guards, row.reason) for row in rows if (row.state, row.trigger) == (state, trigger)]
            assert cell == [(row.guards, row.reason) for row in chart.cell(state, trigger)]
    assert all(row.dest is None or row.dest in chart.state_names for row in rows)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentcp_fsm.diagram", *arguments], capture_output=True, text=True, check=False
    )


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    stale = run("--check", str(file))
    assert stale.returncode == 1
    assert "--write" in stale.stderr
    assert run("--write", str(file)).returncode == 0
    assert file.read_text(encoding="utf-8") == f"before\n{section(CHART)}\nafter\n"
    assert run("--check", str(file)).returncode == 0
    assert run().stdout == mermaid(CHART)


def test_a_file_without_markers_is_one_clear_error_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("nothing\n", encoding="utf-8")
    for option in ("--write", "--check"):
        result = run(option, str(file))
        assert result.returncode == 2
        assert BEGIN in result.stderr
        assert "Traceback" not in result.stderr
    assert file.read_text(encoding="utf-8") == "nothing\n"
    assert run("--check", str(tmp_path / "missing.md")).returncode == 2
