"""Charts are read from revisions, from files and from the work tree; a chart that cannot be read is one clear error."""

import json
import subprocess
from pathlib import Path

import pytest

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.diagram.diff import difference
from agentcp_fsm.fsm.diagram.document import document
from agentcp_fsm.fsm.diagram.revisions import load_chart
from agentcp_fsm.fsm.diagram.snapshot import document as old_document
from agentcp_fsm.lifecycle.chart import CHART
from tests.needs import needs_program

LAMP = """\
from agentcp_fsm import Chart, ChartState, Row

print("imported")
CHART = Chart("lamp", "off", (ChartState("off"), ChartState("on")), (
    Row("press", "off", "on"), Row("press", "on", "off", reason="REASON"),
))
"""
OLD_LAMP = """\
from types import SimpleNamespace as Thing

OFF, ON = Thing(name="off"), Thing(name="on")
ROWS = [Thing(trigger="press", source=("off",), dest="on"), Thing(trigger="press", source=("*",), dest="off")]
CHART = Thing(name="lamp", initial="off", states=[OFF, ON], rows=ROWS)
"""
"""From before a chart had more to say."""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    result = subprocess.run(
        [needs_program("git", "git"), "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def commit(folder: Path, name: str, files: dict[str, str]) -> None:
    """Commit these files, and nothing else, under a tag."""
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        git(folder, "add", file)
    git(folder, "commit", "--quiet", "--allow-empty", "-m", name)
    git(folder, "tag", name)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet")
    commit(folder, "empty", {})
    commit(folder, "old", {"lamp.py": OLD_LAMP})
    commit(folder, "first", {"lamp.py": LAMP.replace("REASON", "first")})
    commit(folder, "broken", {"lamp.py": "1 / 0", "src/house/lamp.py": LAMP, "src/house/__init__.py": ""})
    commit(folder, "second", {"lamp.py": LAMP.replace("REASON", "second"), "inner/file": ""})
    (folder / "lamp.py").write_text(LAMP.replace("REASON", "not committed"), encoding="utf-8")
    return folder


def reason(source: str | None, folder: Path, name: str = "lamp:CHART") -> str:
    return load_chart(source, name, folder).rows[1].reason


def test_a_revision_a_file_and_the_work_tree_are_read_side_by_side(repository: Path, tmp_path: Path) -> None:
    before = git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes()
    assert [reason(source, repository) for source in ("first", "second", "HEAD", "HEAD~2", None)] == [
        "first", "second", "second", "first", "not committed",
    ]  # fmt: skip
    assert reason("second", repository / "inner") == "second"
    assert reason("broken", repository, "house.lamp:CHART") == "REASON", "src is where many have their modules"
    assert before == (git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes())
    export = tmp_path / "lamp.json"
    export.write_text(json.dumps(document(load_chart("first", "lamp:CHART", repository))), encoding="utf-8")
    assert reason(str(export), tmp_path) == "first"


def test_a_chart_from_before_it_had_more_to_say_is_read_too(repository: Path) -> None:
    old = load_chart("old", "lamp:CHART", repository)
    assert [row.source for row in old.rows] == [("off",), ("on",)], "the fallback holds in the others"
    found = difference(old, load_chart("first", "lamp:CHART", repository))
    assert found
    assert not found.behaviour, "only the reason is new"


def test_both_ways_to_make_a_document_make_the_same() -> None:
    assert old_document(CHART) == document(CHART)


@pytest.mark.parametrize(
    ("source", "name", "complaint"),
    [
        ("nonsense", "lamp:CHART", "'nonsense' is neither a file nor a revision of .*: see git log"),
        ("--help", "lamp:CHART", "'--help' is neither a file nor a revision"),
        ("empty", "lamp:CHART", "revision empty has no chart lamp:CHART: .*No module named 'lamp'; .* --from"),
        ("broken", "lamp:CHART", "lamp cannot be imported: ZeroDivisionError"),
        ("first", "lamp:LAMP", "lamp has no 'LAMP'; .* --from"),
        ("first", "lamp:Row", "lamp:Row is no chart"),
        ("first", "json:dumps", "there is no json in it"),
        (
            "first",
            "agentcp_fsm.lifecycle.chart:CHART",
            "there is no agentcp_fsm.lifecycle.chart in it; only one that is installed",
        ),
        ("first", "lamp", "'lamp' names no chart: write module:chart"),
        (None, "nowhere:CHART", "the work tree has no chart nowhere:CHART"),
        ("lamp.py", "lamp:CHART", "lamp.py holds no chart: only the export .*--format json"),
    ],
)
def test_what_has_no_chart_is_one_clear_error(repository: Path, source: str, name: str, complaint: str) -> None:
    with pytest.raises(ChartError, match=complaint) as caught:
        load_chart(source, name, repository)
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_export_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "chart.json"
    for content, complaint in (
        ("{", "holds no chart"),
        ("[]", "--format json"),
        ('{"format": "agentcp-fsm chart", "version": 1, "name": "x"}', "damaged"),
    ):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(ChartError, match=complaint) as caught:
            load_chart(str(file), "lamp:CHART", tmp_path)
        assert str(file) in str(caught.value)
    file.write_bytes(b"\xff")
    with pytest.raises(ChartError, match="holds no chart"):
        load_chart(str(file), "lamp:CHART", tmp_path)


def test_without_a_repository_or_git_the_remedy_is_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ChartError, match="is in no git repository: name an export"):
        load_chart("HEAD", "lamp:CHART", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ChartError, match="there is no git on this machine: install it"):
        load_chart("HEAD", "lamp:CHART", repository)
