"""The page on the defaults: its tables have a row for each default, and the command makes such rows."""

import re
from pathlib import Path

import pytest

from agentcp_fsm import Config
from tests.simulation.__main__ import HEADINGS, VALUES, rows_of

PAGE = Path(__file__).parents[2] / "docs" / "defaults.md"


@pytest.mark.parametrize("setting", VALUES)
def test_the_page_has_a_table_of_each_setting_with_its_default(setting: str) -> None:
    table = PAGE.read_text("utf-8").partition(f"<!-- {setting}:begin -->\n")[2].partition("<!--")[0]
    values = re.findall(r"^\| (\*?\*?[\d.]+\*?\*?) \|", table, re.MULTILINE)
    assert [float(value.strip("*")) for value in values] == list(VALUES[setting])
    assert [value for value in values if value.startswith("**")] == [f"**{getattr(Config(), setting):g}**"]
    assert table.startswith(f"| {' | '.join(HEADINGS)} |")


def test_the_command_makes_such_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    rows = rows_of("unauthorized_spread", 60, 1)
    assert len(rows) == len(VALUES["unauthorized_spread"])
    assert all(len(row) == len(HEADINGS) for row in rows)
