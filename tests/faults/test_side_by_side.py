"""The comparison runs, and its table is written into a page."""

from pathlib import Path

import pytest

from tests.faults import side_by_side
from tests.faults.clients import CANDIDATES


@pytest.mark.slow
def test_the_table_of_a_few_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- side-by-side:begin -->\nold\n<!-- side-by-side:end -->\nafter\n")
    monkeypatch.setattr("sys.argv", ["side_by_side", "forged", "stop while", "--write", str(page)])
    side_by_side.main()
    lines = page.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][2:]
    assert len(found) == 2 * len(CANDIDATES)
    ours = [row for row in found if row[2] == "agentcp-fsm"]
    assert [row[3] for row in ours] == ["yes", "yes"]
    assert [row[7:] for row in ours] == [["0", "0"], ["0", "0"]]
    assert "stop while a sign-in hangs" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["side_by_side", "no such fault"])
    with pytest.raises(SystemExit):
        side_by_side.main()
    assert "no fault has 'no such fault' in its name" in capsys.readouterr().err
