"""The fixtures stay out of the way of a project's own, and say what is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testkit.project import run_pytest

pytestmark = pytest.mark.slow  # each runs pytest in a process of its own

LOADED = {"conftest.py": 'pytest_plugins = ["agentcp_fsm.pytest_plugin"]\n'}


def test_a_fixture_of_the_project_takes_the_place_of_ours(tmp_path: Path) -> None:
    own = "import pytest\n@pytest.fixture\ndef connection(): return 'mine'\n"
    own += "def test(connection): assert connection == 'mine'"
    result = run_pytest(tmp_path, {**LOADED, "test_own.py": own}, "-W", "error")
    assert "1 passed" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["identity", "heartbeat_server", "fast_config"])
def test_one_that_returns_something_else_is_named_by_those_that_need_ours(tmp_path: Path, name: str) -> None:
    own = f"import pytest\n@pytest.fixture\ndef {name}(): return 5\ndef test(connection): pass"
    result = run_pytest(tmp_path, {**LOADED, "test_own.py": own})
    assert "1 error" in result.stdout
    assert f"the fixture {name} returned int, not agentcp_fsm." in result.stdout


@pytest.mark.parametrize("where", ["another plugin", "conftest.py"])
def test_another_plugins_fixture_of_the_same_name_is_warned_of(tmp_path: Path, where: str) -> None:
    fixture = "import pytest\n@pytest.fixture\ndef connection(): return 'mine'\n"
    if where == "conftest.py":
        files = {"conftest.py": LOADED["conftest.py"] + fixture, "test_it.py": "def test(): pass"}
    else:
        conftest = 'pytest_plugins = ["another", "agentcp_fsm.pytest_plugin"]\n'
        files = {"conftest.py": conftest, "another.py": fixture, "test_it.py": "def test(): pass"}
    result = run_pytest(tmp_path, files)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    warned = "the plugins another and agentcp_fsm.pytest_plugin both have a fixture connection" in result.stdout
    assert warned == (where != "conftest.py")


def test_what_is_missing_is_named_with_the_extra(tmp_path: Path) -> None:
    without = 'import sys\nsys.modules["aiohttp"] = None\n'
    files = {"conftest.py": without + LOADED["conftest.py"], "test_it.py": "def test(heartbeat_server): pass"}
    result = run_pytest(tmp_path, files)
    assert "pip install 'agentcp-fsm[testing]'" in result.stdout


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    heavy = "aiohttp", "hypothesis", "asyncio", "cryptography", "google", "requests", "agentcp_fsm.connection"
    code = f"import pytest, sys; import agentcp_fsm.pytest_plugin; print([m for m in {heavy} if m in sys.modules])"
    alone = f"import pytest, sys; print([m for m in {heavy} if m in sys.modules])"
    printed = [
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
        for text in (code, alone)
    ]
    assert printed[0] == printed[1]


def test_the_plugin_counts_no_more_when_pytest_is_over(tmp_path: Path) -> None:
    files = {
        "switch.py": "from agentcp_fsm import Chart, ChartState, Row\n"
        "SWITCH = Chart('switch', 'off', (ChartState('off'),), (Row('press', 'off', 'off'),))\n",
        "test_it.py": "def test(): pass",
        "twice.py": "import pytest\nfrom agentcp_fsm.fsm.step import WATCHERS\n"
        "for target in 'switch:SWITCH', 'switch:SWITCH', 'switch:NOTHING':\n"
        "    pytest.main(['-q', '-p', 'agentcp_fsm.pytest_plugin', '--chart-coverage', target, 'test_it.py'])\n"
        "    print('watchers:', len(WATCHERS))\n",
    }
    run_pytest(tmp_path, files)
    done = subprocess.run([sys.executable, "twice.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("watchers: 0") == 3, done.stdout
