"""The table can be printed, and written into a page."""

from pathlib import Path

import pytest

from tests.weather import __main__ as command
from tests.weather.rows import ROWS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    marks = [f"<!-- {name}:{end} -->\n" for name in ("weather", "weather-notes") for end in ("begin", "end")]
    page.write_text("before\n" + "".join(marks) + "after\n")
    monkeypatch.setattr("sys.argv", ["weather", "silence", "--small", "--write", str(page)])
    command.main()
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| silence")]
    assert [len(row) for row in found] == [len(command.HEADINGS), len(command.NOTE_HEADINGS)]
    assert found[0][-2:] == ["≤ 46 s", "reached"]
    assert "silence noticed at a NextBeat of 30 s" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["weather", "no such row"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no row has 'no such row' in its name" in capsys.readouterr().err


def test_each_row_stands_in_the_page() -> None:
    text = (DOCS / "weather.md").read_text()
    for row in ROWS:
        assert text.count(f"| {row.weather.format(agents='10,000')} |") >= 2, row.name
