"""``agentcp-fsm chart`` shows every row, in every form."""

import json
import os
import re
import subprocess

import pytest

from agentcp_fsm import CHART
from tests.cli.command import COMMAND, ESCAPE, run
from tests.needs import needs_posix


def on_a_terminal(*arguments: str, columns: int = 100, errors: bool = False) -> str:
    """What the command writes to a terminal; `errors`: with standard error."""
    needs_posix("there is a pseudo-terminal")
    import pty

    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)}
    environment.pop("NO_COLOR", None)
    stderr = its if errors else None
    with subprocess.Popen([*COMMAND, *arguments], stdout=its, stdin=its, stderr=stderr, env=environment) as process:
        os.close(its)
        parts = []
        try:
            while data := os.read(ours, 65536):
                parts.append(data)
        except OSError:  # how Linux says that nobody writes any more
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    return b"".join(parts).decode()


def test_json_lines_are_the_rows() -> None:
    shown = [json.loads(line) for line in run("chart", "--json").stdout.splitlines()]
    assert [row.pop("kind") for row in shown] == ["row"] * len(CHART.rows)
    for content, row in zip(shown, CHART.rows, strict=True):
        assert content == {
            "trigger": row.trigger,
            "source": list(CHART.sources(row)),
            "dest": row.dest,
            "prepare": list(row.prepare),
            "conditions": list(row.conditions),
            "unless": list(row.unless),
            "before": list(row.before),
            "after": list(row.after),
            "ignored": row.ignored,
            "reason": row.reason,
        }


def test_piped_it_is_one_plain_line_a_row() -> None:
    result = run("chart")
    assert result.returncode == 0
    assert ESCAPE not in result.stdout
    heading, *lines = result.stdout.splitlines()
    assert heading.split()[:3] == ["TRIGGER", "SOURCE", "DEST"]
    assert len(lines) == len(CHART.rows)
    for line, row in zip(lines, CHART.rows, strict=True):
        assert line.split()[0] == row.trigger
        assert line.endswith(row.reason)


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_on_a_terminal_it_is_a_table_that_fits(columns: int) -> None:
    output = on_a_terminal("chart", "--state", "ONLINE", "--trigger", "beat_answered", columns=columns)
    assert ESCAPE in output
    assert "beat_answered" in output
    assert "All is well." in output
    lines = re.sub(r"\x1b\[[\d;]*m", "", output).splitlines()
    assert max(map(len, map(str.rstrip, lines))) <= columns
    plain = on_a_terminal("chart", "--json", columns=columns)
    assert ESCAPE not in plain


@pytest.mark.parametrize("state", ["ONLINE", "online"])
def test_rows_are_chosen_by_state_and_trigger(state: str) -> None:
    lines = run(
        "chart", "--json", "--state", state, "--trigger", "unauthorized", "--trigger", "stop"
    ).stdout.splitlines()
    shown = [json.loads(line) for line in lines]
    expected = [
        row.reason for row in CHART.rows if row.trigger in ("unauthorized", "stop") and "ONLINE" in CHART.sources(row)
    ]
    assert [row["reason"] for row in shown] == expected
    assert all(row["source"] == ["ONLINE"] for row in shown)


def test_ignored_events_can_be_left_out() -> None:
    shown = [json.loads(line) for line in run("chart", "--json", "--no-ignored").stdout.splitlines()]
    assert len(shown) == sum(not row.ignored for row in CHART.rows)
    assert run("chart", "--state", "OFFLINE", "--trigger", "malformed", "--no-ignored").stdout == ""
