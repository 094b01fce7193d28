"""PlantUML reads the text as it is meant, for all names."""

import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.formats import FORMATS
from agentcp_fsm.fsm.diagram.plantuml import plantuml
from agentcp_fsm.fsm.diagram.scxml import SCXML_NAMESPACE
from agentcp_fsm.fsm.diagram.views import row_steps, steps
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.strategies import charts
from tests.needs import needs_program

SCXML = f"{{{SCXML_NAMESPACE}}}"


def shown(text: str) -> str:
    """A name as a picture shows it."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def read_back(text: str) -> str:
    """A name out of PlantUML's own export, which leaves characters that stand for others as they are."""
    return re.sub(r"<U\+([0-9A-F]+)>", lambda match: chr(int(match[1], 16)), text.split("\\n<size")[0])


def understood(texts: list[str], folder: Path) -> list[ET.Element]:
    """How PlantUML reads the diagrams, which it can export as SCXML; all in one process."""
    (folder / "charts.puml").write_text("\n".join(texts), encoding="utf-8")
    command = [needs_program("plantuml", "plantuml"), "-tscxml", "-charset", "UTF-8", "charts.puml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    names = ["charts.scxml", *(f"charts_{number:03}.scxml" for number in range(1, len(texts)))]
    assert sorted(path.name for path in folder.glob("*.scxml")) == names
    return [ET.fromstring((folder / name).read_text(encoding="utf-8")) for name in names]


def arrows(chart: Chart) -> set[tuple[str, str, str]]:
    """From, to, and the first line of the label in the full view, which is all that PlantUML exports."""
    found = set()
    for source, dest in steps(chart):
        cells = (chart.cell(source, trigger) for trigger in chart.triggers)
        row = next(row for cell in cells for row in cell if (source, dest) in row_steps(chart, row))
        shared = any(other is not row and not other.ignored for other in chart.cell(source, row.trigger))
        guards = ", ".join(row.guards) or ("else" if shared else "")
        line = f"{row.trigger} [{guards}]" if guards else row.trigger
        found.add((shown(source), shown(dest), line))
    return found


def test_plantuml_reads_every_state_and_every_arrow_of_any_chart(tmp_path: Path) -> None:
    collected = [CHART]

    @settings(max_examples=50, suppress_health_check=list(HealthCheck), database=None)
    @given(charts())
    def collect(chart: Chart) -> None:
        collected.append(chart)

    collect()
    texts = [plantuml(chart, "full") for chart in collected]
    texts += [plantuml(CHART, view) for view in ("overview", "state:DEGRADED", "path:OFFLINE..ONLINE")]
    for chart, root in zip(collected, understood(texts, tmp_path), strict=False):
        ends = {"start", "end"}
        found = {
            (read_back(state.get("id", "")), read_back(arrow.get("target", "")), read_back(arrow.get("event", "")))
            for state in root.iter(f"{SCXML}state")
            for arrow in state.iter(f"{SCXML}transition")
            if state.get("id") not in ends or arrow.get("event") is not None
        }
        assert found == arrows(chart)
        names = {read_back(state.get("id", "")) for state in root.iter(f"{SCXML}state")}
        assert {shown(name) for name in chart.state_names} == names - (ends - set(chart.state_names))


def test_a_state_tells_its_role_by_more_than_its_colour() -> None:
    text = plantuml(CHART)
    for state in CHART.states:
        assert f'state "{state.name}\\n<size:10>{state.role}</size>" as S_{state.name} <<{state.role}>>' in text
        assert f"  BackgroundColor<<{state.role}>> #" in text


def test_guards_stand_in_brackets_and_rows_that_stay_inside_of_their_state() -> None:
    text = plantuml(CHART, "full")
    assert "deadline_passed [silent, sign_in_too_soon]" in text
    assert "S_ONLINE : deadline_passed [beat_was_answered]\n" in text
    assert "malformed" not in text, "nothing ignored is drawn"


def test_no_name_is_underlined_or_struck_through() -> None:
    rows = (Row("__go__", "--a--", "b__c"), Row("~~go~~", "b__c", "--a--"))
    text = plantuml(Chart("__init__", "--a--", (ChartState("--a--"), ChartState("b__c")), rows), "full")
    names = "".join(re.findall(r'^title .*|^state ".*"| : .*$', text, re.MULTILINE))
    assert not re.search("__|--|~~", names)


def test_the_command_knows_it() -> None:
    assert FORMATS["plantuml"].export(CHART, "state:DEGRADED").decode() == plantuml(CHART, "state:DEGRADED")
