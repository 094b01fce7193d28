"""What the project says of systems and Pythons, in three places, is one thing."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")


def test_the_workflow_runs_every_python_that_the_classifiers_name() -> None:
    named = {name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)}
    first, *others = (set(re.findall(r'"(3\.\d+)"', line)) for line in re.findall(r"python: (\[.*\])", WORKFLOW))
    assert first == named
    assert all(other <= named and {min(named), max(named)} <= other for other in others)
    assert PROJECT["requires-python"] == f">={min(named)}"
    assert f"| Linux | {min(named)} to {max(named)} |" in PAGE


def test_the_workflow_runs_every_system_that_the_classifiers_name() -> None:
    systems = {name.rpartition(" ")[2] for name in PROJECT["classifiers"] if name.startswith("Operating System")}
    assert systems == {"Linux", "MacOS", "Windows"}
    assert {"ubuntu-latest", "windows-latest", "macos-latest"} <= set(re.findall(r"\w+-latest", WORKFLOW))


def test_the_folders_of_tests_that_run_elsewhere_exist() -> None:
    folders = re.findall(r"tests/\w+", WORKFLOW.partition("  others:")[2])
    assert len(folders) > 5
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_the_page_names_all_that_is_taken_away() -> None:
    """A row for each absence, in their order."""
    from tests.platforms.absences import ABSENCES

    table = PAGE.partition("| taken away, or changed | in its place |")[2].partition("\n\n")[0]
    assert len(table.strip().splitlines()) - 1 == len(ABSENCES)
