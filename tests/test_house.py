"""The order of the house: every file can be read in one sitting, and the map of the tests is complete."""

import re
import subprocess
from importlib import import_module
from pathlib import Path

from tests.needs import needs, needs_program

ROOT = Path(__file__).parent.parent
LONGEST = 400
"""Lines that a file may have."""
KINDS = ("*.py", "*.pyi", "*.md", "*.js", "*.mjs", "*.css", "*.toml", "*.proto")
GENERATED = {
    "agentcp_fsm/wire/agentcp_pb2.py": "protoc writes it",
    "agentcp_fsm/wire/agentcp_pb2.pyi": "protoc writes it",
    "agentcp_fsm/traces/trace_pb2.py": "protoc writes it",
    "agentcp_fsm/traces/trace_pb2.pyi": "protoc writes it",
    "docs/diagram/table.md": "`python -m agentcp_fsm diagram` writes it",
}
"""Files that may be longer, each with the reason.

The page, the pictures and the lock file are generated too, but are of none of these kinds.
"""


def tracked() -> list[str]:
    """The source files in version control, relative to the root."""
    git = needs_program("git", "git")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--", *KINDS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    needs(listed.returncode == 0, "a git repository", "clone it, instead of copying its files")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_no_file_is_too_long_to_be_read() -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in tracked()}
    assert lengths
    too_long = {name: lines for name, lines in lengths.items() if lines > LONGEST and name not in GENERATED}
    assert not too_long, f"split what has more than {LONGEST} lines: {too_long}"


def test_the_exceptions_are_there_and_generated() -> None:
    missing = set(GENERATED) - set(tracked())
    assert not missing, f"no longer there: {missing}"


def test_the_map_shows_every_folder_and_every_shared_module() -> None:
    tests = Path(__file__).parent
    text = (tests / "README.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in tests.glob("*/__init__.py")}
    modules = {path.stem for path in tests.glob("*.py") if path.stem not in ("__init__", "conftest")}
    assert folders >= {"fsm", "faults"}
    unnamed = {name for name in folders | modules if not re.search(rf"\b{name}\b", text)}
    assert not unnamed, f"tests/README.md does not say what these are for: {unnamed}"


def test_the_map_names_helpers_that_exist() -> None:
    tests = Path(__file__).parent
    text = (tests / "README.md").read_text(encoding="utf-8")
    helpers = text[text.index("## Helpers") : text.index("## Markers")]
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)\.(\w+)[`(]", helpers)
    ours = [(module, name) for module, name in named if (tests / f"{module.replace('.', '/')}.py").exists()]
    assert len(ours) > 10
    for module, name in ours:
        assert hasattr(import_module(f"tests.{module}"), name), f"{module}.{name}"
