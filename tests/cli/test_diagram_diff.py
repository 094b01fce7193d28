"""``agentcp-fsm diagram diff`` shows a difference in every form, and answers with its exit status."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from agentcp_fsm import CHART, Row
from agentcp_fsm.fsm.diagram.document import document
from agentcp_fsm.lifecycle.chart import BACKOFF, OFFLINE
from tests.cli.command import ESCAPE, refused, run
from tests.cli.test_chart import on_a_terminal
from tests.diagram.test_revisions import git


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two exports: the chart, and the chart after a change."""
    folder = tmp_path_factory.mktemp("charts")
    rows = tuple(
        Row("stop", BACKOFF, OFFLINE, after="come_to_rest", reason="There is nothing to sign out.")
        if row.trigger == "stop" and row.source == (BACKOFF,)
        else row
        for row in CHART.rows
        if not (row.trigger == "retry_now" and row.dest == "RECONNECTING")
    )
    changed = dataclasses.replace(CHART, rows=rows, guards={**(CHART.guards or {}), "rejected": "it is hopeless"})
    paths = folder / "old.json", folder / "new.json"
    for path, chart in zip(paths, (CHART, changed), strict=True):
        path.write_text(json.dumps(document(chart)), encoding="utf-8")
    return str(paths[0]), str(paths[1])


TEXT = """\
1 row removed, 1 row changed, 1 guard changed: behaviour changes

rows
  ~ stop in BACKOFF → OFFLINE  (There is nothing to sign out.)
      leads to: STOPPING → OFFLINE
      before: close_probe → none
      after: sign_out → come_to_rest
      reason: The application wants out; no call is in flight. → There is nothing to sign out.
  - retry_now in BACKOFF [was_online] → RECONNECTING  (The application ended the wait.)
      before: close_probe
      after: begin_sign_in

guards
  ~ rejected: retrying soon cannot mend it → it is hopeless
"""


def test_it_is_plain_text_in_a_pipe_and_in_colours_on_a_terminal(files: tuple[str, str]) -> None:
    result = run("diagram", "diff", *files)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == TEXT
    shown = on_a_terminal("diagram", "diff", *files, columns=200)
    for colour, line in (("33", "  ~ stop in BACKOFF"), ("31", "  - retry_now in BACKOFF")):
        assert f"{ESCAPE}[{colour}m{line}" in shown
    assert re.sub(r"\x1b\[[\d;]*m|\r", "", shown) == TEXT


def test_the_exit_status_is_that_of_diff(files: tuple[str, str]) -> None:
    old, new = files
    assert run("diagram", "diff", old, new, "--exit-code").returncode == 1
    same = run("diagram", "diff", old, old, "--exit-code")
    assert (same.returncode, same.stdout) == (0, "no differences\n")


def test_the_new_chart_is_that_of_the_work_tree_by_default(files: tuple[str, str]) -> None:
    result = run("diagram", "diff", files[0])
    assert result.stdout == "no differences\n"


def test_it_is_written_in_the_format_that_the_file_is_named_after(files: tuple[str, str], tmp_path: Path) -> None:
    data = json.loads(run("diagram", "diff", *files, "--json").stdout)
    assert [(row["kind"], row["trigger"]) for row in data["rows"]] == [("changed", "stop"), ("removed", "retry_now")]
    for name, beginning in (
        ("d.txt", TEXT.encode()),
        ("d.md", b"**connection**: 1 row removed"),
        ("d.gv", b"digraph"),
        ("d.svg", b"<svg"),
        ("d.png", b"\x89PNG"),
    ):
        result = run("diagram", "diff", *files, "--output", tmp_path / name)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert (tmp_path / name).read_bytes().startswith(beginning)
    picture = (tmp_path / "d.svg").read_text(encoding="utf-8")
    for text in ("~ stop: leads to, before, after, reason", "- stop", "- retry_now [was_online]", "~ changed (dotted)"):
        assert text in picture.replace("&#45;", "-").replace("&#160;", " ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "'nonsense' is neither a file nor a revision"),
        (["{old}", "--format", "gif"], "there is no format 'gif' for a difference: choose one of text, markdown"),
        (["{old}", "--output", "difference"], "says no format"),
        (["{old}", "--output", "/proc/nowhere/d.svg"], "cannot write /proc/nowhere/d.svg"),
        (["{old}", "--format", "png", "--theme", "auto"], "the format png has no theme 'auto': it has light, dark"),
        (["{old}", "--theme", "dark"], "the format text has no theme 'dark'"),
        (["{old}", "--from", "chart"], "'chart' names no chart"),
        ([], "OLD"),
    ],
)
def test_wrong_uses_are_one_clear_line(
    files: tuple[str, str], arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")  # for these tests may themselves be in no repository
    monkeypatch.chdir(tmp_path)
    result = run("diagram", "diff", *(argument.format(old=files[0]) for argument in arguments))
    assert complaint in refused(result)
