"""``agentcp-fsm simulate``."""

import csv
import re
from pathlib import Path

from agentcp_fsm.cli.simulate import ScenarioName
from agentcp_fsm.simulation import SCENARIOS
from tests.cli.command import run


def test_it_prints_how_soon_agents_are_back_and_what_the_server_is_offered() -> None:
    done = run("simulate", "--agents", "60", "--scenario", "server-outage", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert "server-outage, 60 agents, seed 7" in done.stdout
    assert re.search(r"ONLINE again: 50% [\d.]+ s, .*100% [\d.]+ s; never: 0", done.stdout)
    assert "sign-ins a second █" in done.stdout


def test_it_writes_tables_and_pictures(tmp_path: Path) -> None:
    files = [tmp_path / f"load.{suffix}" for suffix in ("csv", "parquet", "png", "svg")]
    done = run("simulate", "--agents", "30", *(part for file in files for part in ("-o", str(file))))
    assert done.returncode == 0, done.stderr
    table = list(csv.DictReader(files[0].read_text().splitlines()))
    assert [int(row["second"]) for row in table] == list(range(len(table)))
    assert int(table[-1]["online"]) == 30
    assert files[1].read_bytes()[:4] == b"PAR1"
    assert files[2].read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in files[3].read_text()


def test_a_file_that_it_cannot_write_is_refused_first(tmp_path: Path) -> None:
    done = run("simulate", "-o", "load.xls")
    assert done.returncode == 2
    assert "'load.xls': give a name that ends in .csv, .parquet, .png, .svg" in done.stderr
    done = run("simulate", "--agents", "5", "-o", str(tmp_path / "nowhere" / "load.csv"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_a_swarm_says_that_nothing_broke() -> None:
    done = run("simulate", "--swarm", "40", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "40 worlds, seeds 0 to 39: none broke an invariant" in done.stdout


def test_the_choice_is_that_of_the_scenarios() -> None:
    assert [str(name) for name in ScenarioName] == list(SCENARIOS)
