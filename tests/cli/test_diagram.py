"""``agentcp-fsm diagram`` draws any chart, keeps files up to date, and names what is wrong with its arguments."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from agentcp_fsm.cli import app
from agentcp_fsm.errors import ChartError, DiagramFileError
from agentcp_fsm.fsm.diagram.document import document
from agentcp_fsm.fsm.diagram.files import BEGIN, END, DiagramFile
from agentcp_fsm.fsm.diagram.formats import FORMATS, Theme
from agentcp_fsm.fsm.diagram.mermaid import mermaid
from agentcp_fsm.fsm.loading import load_chart
from agentcp_fsm.lifecycle.chart import CHART, State
from tests.cli.command import COMMAND, refused, run
from tests.needs import needs_posix

ROOT = Path(__file__).parents[2]
DOOR = """
from agentcp_fsm.fsm.chart import Chart, ChartState, Row

DOOR = Chart("door", "closed", (ChartState("closed"), ChartState("open")),
             (Row("push", "closed", "open", conditions="unlocked"), Row("push", ("closed", "open"), None, ignored=True),
              Row("pull", "open", "closed"), Row("pull", "closed", None, ignored=True)))
AJAR = Chart("ajar", "closed", DOOR.states, DOOR.rows[:1])
KEY = 42
"""


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, the present one, with a module that has a chart."""
    (tmp_path / "door.py").write_text(DOOR, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("door", None)


class Command(Protocol):
    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def diagram(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, which spares the time to start another."""

    def run_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = ["diagram", *map(str, arguments)]
        capfd.readouterr()
        status = app.run(words)
        return subprocess.CompletedProcess(words, status, *capfd.readouterr())

    return run_here


def test_by_default_it_is_the_overview_in_mermaid() -> None:
    result = run("diagram")
    assert result.returncode == 0, result.stderr
    assert result.stdout == mermaid(CHART)


def test_a_chart_of_the_present_folder_is_drawn_in_any_format_by_the_names_of_files(
    door: Path, diagram: Command
) -> None:
    for name, start in (("x.svg", b"<svg"), ("x.png", b"\x89PNG"), ("x.pdf", b"%PDF"), ("x.gv", b"digraph")):
        result = diagram("--from", "door:DOOR", "-o", name)
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        assert (door / name).read_bytes().startswith(start)
    assert json.loads(diagram("--from", "door:DOOR", "--format", "json").stdout)["name"] == "door"
    assert "unlocked" in diagram("--from", "door:DOOR", "--view", "path:closed..open").stdout


def test_json_on_standard_output_is_the_chart(diagram: Command) -> None:
    assert json.loads(diagram("--format", "json").stdout) == document(CHART)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "gif"], ["'gif'", *FORMATS]),
        (["--view", "fullest"], ["'fullest'", "overview, full, state:NAME or path:FROM..TO"]),
        (["--view", "state:AWAY"], ["'AWAY'", *State]),
        (["--format", "json", "--view", "full"], ["json", "whole chart"]),
        (["--format", "png", "--theme", "auto"], ["png", "'auto'", "light, dark"]),
        (["--from", "door"], ["'door'", "module:name"]),
        (["--from", "gate:GATE"], ["no module gate", "install it"]),
        (["--from", "door:GATE"], ["door has no GATE", "its charts are DOOR, AJAR"]),
        (["--from", "door:KEY"], ["door:KEY is no chart, but of type int"]),
        (["--from", "broken:X"], ["broken cannot be imported", "ZeroDivisionError"]),
        (["--from", "needy:X"], ["needy imports unheard_of, which is not installed"]),
        (["-o", "x.gif"], ["x.gif", "--format"]),
        (["-o", "missing/x.svg"], ["cannot write missing/x.svg", "No such file or directory"]),
        (["-o", ".", "--format", "svg"], ["cannot write .", "Is a directory"]),
        (["-o", "x.svg", "--check", "x.svg"], ["exclude each other"]),
        (["--format", "mermaid", "-o", "page.md"], ["page.md", BEGIN, END]),
        (["-o", "page.md"], ["page.md", BEGIN, END]),
        (["--format", "markdown", "-o", "page.md"], ["page.md", BEGIN, END]),
        (["-o", "half.md"], ["half.md has only one of the lines", BEGIN, END]),
        (["--from", "door:AJAR"], ["ajar: (closed, push) is undecided"]),
        (["docs", "--from", "door:AJAR"], ["ajar: (closed, push) is undecided"]),
        (["docs", "page.md/x"], ["cannot make the folder page.md/x", "Not a directory"]),
        (["--check", "x.png"], ["x.png", "svg or dot"]),
    ],
    ids=" ".join,
)
def test_what_cannot_work_is_one_line_with_the_remedy(
    door: Path, arguments: list[str], words: list[str], diagram: Command
) -> None:
    (door / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    (door / "needy.py").write_text("import unheard_of\n", encoding="utf-8")
    (door / "page.md").write_text("no markers\n", encoding="utf-8")
    (door / "half.md").write_text(f"one marker\n{BEGIN}\n", encoding="utf-8")
    before = sorted(path.name for path in door.iterdir() if path.name != "__pycache__")
    message = refused(diagram(*arguments))
    for word in words:
        assert word in message
    assert sorted(path.name for path in door.iterdir() if path.name != "__pycache__") == before
    assert (door / "page.md").read_text(encoding="utf-8") == "no markers\n"
    assert (door / "half.md").read_text(encoding="utf-8") == f"one marker\n{BEGIN}\n"


def test_a_page_that_is_a_table_as_a_whole_is_written_again(door: Path, diagram: Command) -> None:
    for _ in range(2):
        assert diagram("-o", "table.md").returncode == 0
    assert diagram("--check", "table.md").returncode == 0


def test_an_unwritable_file_is_an_error_before_anything_is_drawn(tmp_path: Path) -> None:
    class UndrawnError(Exception):
        """The format was asked for its content."""

    class Format:
        name = "svg"
        binary = False

        def export(self, *_: object) -> bytes:
            raise UndrawnError

    with pytest.raises(DiagramFileError, match="cannot write"):
        DiagramFile(tmp_path / "missing" / "x.svg", Format()).write(CHART)  # type: ignore[arg-type]
    with pytest.raises(UndrawnError):
        DiagramFile(tmp_path / "x.svg", Format()).write(CHART)  # type: ignore[arg-type]
    assert not (tmp_path / "x.svg").exists()


def test_a_picture_is_not_thrown_at_a_terminal() -> None:
    needs_posix("there is a pseudo-terminal")
    import pty

    ours, its = pty.openpty()
    try:
        result = subprocess.run(
            [*COMMAND, "diagram", "--format", "png"], stdout=its, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(its)
        os.close(ours)
    assert result.returncode == 2
    assert "--output FILE" in result.stderr


def test_a_stale_file_fails_and_the_command_that_it_names_mends_it(door: Path, diagram: Command) -> None:
    options = ["--from", "door:DOOR", "--view", "state:open"]
    for name in ("x.mmd", "x.dot"):
        for content in (None, "old\n"):
            if content is not None:
                (door / name).write_text(content, encoding="utf-8")
            stale = diagram(*options, "--check", name)
            assert stale.returncode == 1
            what, _, command = stale.stderr.strip().partition(": run agentcp-fsm ")
            assert what == f"agentcp-fsm: {name} is {'missing' if content is None else 'stale'}"
            assert diagram(*command.removeprefix("diagram ").split()).returncode == 0
            fresh = diagram(*options, "--check", name)
            assert (fresh.returncode, fresh.stderr) == (0, "")


def test_a_page_keeps_all_but_its_diagram(door: Path, diagram: Command) -> None:
    page = door / "page.md"
    page.write_bytes(f"before\r\n{BEGIN}\nold\n{END}\nafter\n".encode())
    assert diagram("--format", "mermaid", "--check", "page.md").returncode == 1
    assert diagram("--format", "mermaid", "-o", "page.md").returncode == 0
    expected = f"before\r\n{BEGIN}\n```mermaid\n{mermaid(CHART)}```\n{END}\nafter\n"
    assert page.read_bytes() == expected.encode()
    result = diagram("--check", "page.md", "--check", "page.md")
    assert result.returncode == 0, "what it holds says the format"


def test_the_readme_and_the_documents_hold_the_present_diagrams(diagram: Command) -> None:
    assert diagram("--check", ROOT / "README.md").returncode == 0
    result = diagram("docs", ROOT / "docs" / "diagram", "--check")
    assert result.returncode == 0, result.stderr


def test_the_documents_are_made_by_one_command_and_checked(tmp_path: Path, diagram: Command) -> None:
    folder = tmp_path / "new folder"
    stale = diagram("docs", folder, "--check")
    assert stale.returncode == 1
    assert f"run agentcp-fsm diagram docs '{folder}'" in stale.stderr
    assert diagram("docs", folder).returncode == 0
    assert diagram("docs", folder, "--check").returncode == 0
    next(folder.glob("*.svg")).write_text("old", encoding="utf-8")
    assert diagram("docs", folder, "--check").returncode == 1


def test_dotted_names_and_themes(door: Path) -> None:
    assert load_chart("agentcp_fsm:lifecycle.chart.CHART") is CHART
    with pytest.raises(ChartError, match=r"door has no DOOR\.x"):
        load_chart("door:DOOR.x")
    dark = DiagramFile(door / "x.svg", FORMATS["svg"], "state:ONLINE", Theme.DARK)
    dark.write(CHART)
    assert not dark.is_stale(CHART)
    assert DiagramFile(door / "x.svg", FORMATS["svg"], "state:ONLINE").is_stale(CHART)


def test_the_hooks_before_a_commit_run_what_ci_runs() -> None:
    ours = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: agentcp-fsm (.*)$", ours, re.MULTILINE)
    assert len(entries) == 2
    for entry in entries:
        assert f".venv/bin/agentcp-fsm {entry}\n" in steps
    offered = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    assert "entry: agentcp-fsm diagram\n" in offered
