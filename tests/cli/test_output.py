"""What the command shows is what came: no markup, no emoji codes, nothing that steers a terminal."""

import json
import os
from pathlib import Path

import pytest

from agentcp_fsm import State
from agentcp_fsm.cli.options import read_password
from agentcp_fsm.cli.output import Output, transition_text
from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.lifecycle.effects import ReportTransition
from tests.cli.command import refused, run

ODD = (
    "group:smile:1",
    "s:1:2:thumbs_up:",
    "[bold]x[/bold]",
    "[/]",
    "a" * 300,
    "http://h/:warning:/x",
    r"\[red]",
    r"ends with one\ ".strip(),
    "ends with two\\\\",
    "https://[fd00::a:1]:8443",
    "https://[2001:db8::ab:1]:8443",
    "智能体 → …",
)
EVIL = "E\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e\r\nforged :skull: [red]x[/red] \\"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("text", ODD)
def test_text_is_shown_as_it_is(
    text: str, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    output = Output()
    output.say("one", text, "|", (text, "bold"))
    output.say("two", transition_text(ReportTransition(State.ONLINE, State.BACKOFF, "", text, text, 0.0), text))
    first, second = capsys.readouterr().out.splitlines()
    assert first.count(text) == 2
    assert second.count(text) == 2


def test_a_word_wider_than_the_terminal_is_not_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    Output().say("one", f"a word: {'a' * 300}")
    assert "a" * 300 in capsys.readouterr().out


def test_no_text_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.say("one", EVIL, (EVIL, "bold"))
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert ":skull: [red]x[/red] \\" in line


def chart(**changes: object) -> dict[str, object]:
    state: dict[str, object] = {
        "name": "A",
        "meaning": "",
        "owns": "",
        "role": None,
        "final": False,
        "on_enter": [],
        "on_exit": [],
    }
    made = {"format": "agentcp-fsm chart", "version": 1, "name": "x", "initial": "A", "states": [state], "rows": []}
    return made | {"guards": None, "actions": None} | changes


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(chart(states=[{EVIL: 1}])),
        json.dumps(chart(rows=[{EVIL: 1}])),
        json.dumps(chart(initial=EVIL)),
        json.dumps(chart(format=EVIL)),
        json.dumps({EVIL: EVIL}),
        "[" * 100_000,
        '{"a":' * 100_000,
        EVIL,
    ],
    ids=range(8),
)
def test_a_difference_complains_in_one_printable_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(chart()))
    (tmp_path / "b.json").write_text(content, encoding="utf-8", newline="")
    complaint = refused(run("diagram", "diff", tmp_path / "a.json", tmp_path / "b.json"))
    assert complaint.removesuffix("\n").isprintable()


def test_a_path_that_steers_a_terminal_is_shown_without(tmp_path: Path) -> None:
    complaint = refused(run("diagram", "diff", tmp_path / "\x1b[2J\x9b31m", tmp_path / "x"))
    assert complaint.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("arguments", [("chart",), ("demo", "--fast"), ("doctor", "a.b.c", "--data", "/nowhere")])
def test_a_stream_that_cannot_encode_an_arrow_gets_an_escape(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    result = run(*arguments, **environment)
    assert result.returncode == (1 if arguments[0] == "doctor" else 0), result.stderr
    assert "Error" not in result.stderr


def test_a_password_file_that_others_can_read_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o644)
    assert read_password(file, None) == "secret"
    assert capsys.readouterr().err == (
        f"agentcp-fsm: warning: other users can read the password in {file}: chmod 600 it\n"
    )
    file.chmod(0o600)
    assert read_password(file, None) == "secret"
    assert capsys.readouterr().err == ""


def test_a_password_may_come_through_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"secret\n")
        os.close(writing)
        assert read_password(Path(f"/dev/fd/{reading}"), None) == "secret"
    finally:
        os.close(reading)


@pytest.mark.parametrize("kind", ["/dev/zero", "a FIFO that nobody writes to", "a folder"])
def test_what_is_no_password_file_is_refused(tmp_path: Path, kind: str) -> None:
    file = Path(kind)
    match kind:
        case "a folder":
            file = tmp_path
        case "a FIFO that nobody writes to":
            file = tmp_path / "fifo"
            os.mkfifo(file)
    with pytest.raises(CredentialsError, match=r"cannot be read|is empty"):
        read_password(file, None)
