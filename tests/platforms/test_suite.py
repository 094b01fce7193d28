"""The tests themselves: those that run elsewhere can be imported there, and say which they leave out."""

import os
import re
import subprocess
from pathlib import Path

from tests.needs import needs_linux
from tests.platforms.programs import ALL, PATIENCE, ROOT, without

needs_linux("what other systems lack is taken away from this one")

FOLDERS = re.findall(r"tests/\w+", (ROOT / ".github" / "workflows" / "tests.yml").read_text().partition("  others:")[2])
COLLECT = """
import psutil, pytest  # which need some of them on this system
ABSENCES["modules"]()
ABSENCES["unix_sockets"]()
sys.exit(pytest.main(sys.argv[1:]))
"""


def collected(*arguments: str) -> str:
    # Those that pytest itself uses are not taken away.
    absent = [name for name in ALL if name not in ("modules", "unix_sockets", "users", "descriptors")]
    # As on another system, where what is not there is no fault even in CI.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    command = without(absent, COLLECT, "-q", "-p", "no:cacheprovider", *arguments)
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode in (0, 5), ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout


def test_they_can_be_collected_where_there_is_no_posix() -> None:
    assert int(re.findall(r"(\d+)[^\n]* tests? collected", collected("--collect-only", *FOLDERS))[-1]) > 1000


def test_those_that_fork_are_skipped_where_nothing_forks() -> None:
    processes = "tests/connection/test_processes.py"
    shown = collected("tests/support/test_forking.py", processes, "-rs", "-k", "fork")
    assert "needs POSIX: processes fork" in shown
    assert f"SKIPPED [1] {Path('tests/needs.py')}" in shown
    assert "passed" not in shown
