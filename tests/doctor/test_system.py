"""The doctor says what was tested on the system and the Python that run it, as the page and the workflow have it."""

import re
from pathlib import Path

import pytest

from agentcp_fsm.doctor import Outcome
from agentcp_fsm.doctor.system import NEWEST, TESTED, check_system

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("system", "name", "says"),
    [
        ("linux", "Linux", "Python 3.12.1 on Linux, where all tests run"),
        ("win32", "Windows", "Python 3.12.1 on Windows, where all tests run but those that need Linux"),
        ("darwin", "Darwin", "Python 3.12.1 on Darwin, where all tests run but those that need Linux"),
        ("freebsd14", "FreeBSD", "Python 3.12.1 on FreeBSD, where no test was run"),
    ],
)
def test_a_system(system: str, name: str, says: str) -> None:
    found = check_system(system, name, "3.12.1")
    assert (found.says, found.outcome) == (says, Outcome.OK)
    assert found.facts == {"system": system, "python": "3.12.1", "tested": system in TESTED}


@pytest.mark.parametrize("python", ["3.15.0", "3.15.0a1", "4.0.0"])
def test_a_python_that_is_too_new_to_have_been_tested(python: str) -> None:
    assert check_system("linux", "Linux", python).says.endswith(
        "this Python is newer than 3.14, the newest that was tested"
    )


def test_what_is_said_to_be_tested_is() -> None:
    assert {"ubuntu-latest": "linux", "windows-latest": "win32", "macos-latest": "darwin"}.keys() <= set(
        re.findall(r"\w+-latest", WORKFLOW)
    )
    assert set(TESTED) == {"linux", "win32", "darwin"}
    assert max(tuple(map(int, each.split("."))) for each in re.findall(r'"(3\.\d+)"', WORKFLOW)) == NEWEST
