"""The links and claims of docs; `tests/docs` carries out the code blocks, and builds the site."""

import re
from collections import defaultdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def name(page: Path) -> str:
    """A page's name in a test's."""
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_what_the_comparison_points_at_exists() -> None:
    """Tests and commands of ours, functions of the SDK's source."""
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    by_name: defaultdict[str, str] = defaultdict(str)
    for test_file in Path(__file__).parent.rglob("test_*.py"):
        by_name[test_file.name] += test_file.read_text(encoding="utf-8")
    tests = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(tests) > 50
    assert [f"{file}::{test}" for file, test in tests if f"def {test}(" not in by_name[file]] == []

    spec = find_spec("agentcp")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    sdk = Path(spec.submodule_search_locations[0]).parent
    abbreviations = {"hb": "agentcp/heartbeat/heartbeat_client.py", "auth": "agentcp/base/auth_client.py"}
    functions = re.findall(r"`(hb|auth|agentcp/[\w/]+\.py):(\w+)`", text)
    assert len(functions) > 20
    for file, function in functions:
        assert f"def {function}(" in (sdk / abbreviations.get(file, file)).read_text(encoding="utf-8"), function
    assert "0.1.99" in text
    assert version("agentcp") == "0.1.99", "the cells of the SDK were read in this version"

    for module in re.findall(r"`python -m ([\w.]+)`", text):
        assert find_spec(module) is not None


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    for named in re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::\w+)?`", page.read_text(encoding="utf-8")):
        assert (DOCS.parent / named).exists(), named


def test_the_index_leads_to_every_page() -> None:
    """Of the site, whose navigation it is; and to every translation."""
    linked = set(re.findall(r"\]\(([^)#:]+)\)", (DOCS / "README.md").read_text(encoding="utf-8")))
    pages = {name(page) for page in PAGES} - {"README.md", "index.md"}
    assert {page for page in pages if not page.endswith(".zh-CN.md")} <= linked
    assert len(linked) == len({link.lower() for link in linked})
