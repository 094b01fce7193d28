"""The order of the house: every file can be read in one sitting."""

import subprocess
from pathlib import Path

from tests.needs import needs, needs_program

ROOT = Path(__file__).parent.parent
LONGEST = 400
"""Lines that a file may have."""
KINDS = ("*.py", "*.pyi", "*.md", "*.js", "*.mjs", "*.css", "*.toml", "*.proto")
GENERATED = {
    "agentcp_fsm/wire/agentcp_pb2.py": "protoc writes it",
    "agentcp_fsm/wire/agentcp_pb2.pyi": "protoc writes it",
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
