"""Every citation names a rule, an invariant or a section that docs/lifecycle.md or docs/protocol.md define.

The one form of each: `rule 6`, `rules 5 and 7`, `rules 1 to 3`; `S8`, `S1 to S10`; `lifecycle, "Events"`.  The name of
the page may stand before a number, too: `lifecycle, rule 6`.

And every rule and invariant is cited by a test: in its name (`test_6_…`, `test_4_and_5_…`, `test_l1_…`), or anywhere in
its source, decorators and docstring included.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from agentcp_fsm import Config, State
from agentcp_fsm.lifecycle.events import EVENTS

ROOT = Path(__file__).parents[1]
LAW = {page: (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in ("lifecycle", "protocol")}
"""The pages that can be cited."""
RULES = {f"rule {number}" for number in re.findall(r"^### Rule (\d+)$", LAW["lifecycle"], re.MULTILINE)}
INVARIANTS = set(re.findall(r'^\| <a id="[sl]\d+"></a>([SL]\d+) \|', LAW["lifecycle"], re.MULTILINE))
SECTIONS = {
    f'{page}, "{section}"' for page, text in LAW.items() for section in re.findall(r"^## (.+)$", text, re.MULTILINE)
}

FILES = sorted(
    path
    for pattern in ("README.md", "docs/*.md", "agentcp_fsm/**/*", "tests/**/*")
    for path in ROOT.glob(pattern)
    if path.suffix in (".md", ".py", ".js", ".html", ".proto") and "node_modules" not in path.parts
)
EXAMPLES = Path(__file__)
"""This file, whose examples cite what there is not."""

RULE = re.compile(r"\b[Rr]ules? (\d+(?:(?:, | and | or | to )\d+)*)")
INVARIANT = re.compile(r"\b([SL])(\d{1,2})(?: to \1(\d{1,2}))?\b")
SECTION = re.compile(r'\b([Ll]ifecycle|[Pp]rotocol), "([A-Z][^"]*)"')
OTHER_FORM = re.compile(
    r"\((?:lifecycle|protocol|problem|specification), (?!rules? \d|[SL]\d)[^\")]*\)"  # (page, something)
    r"|\b(?:lifecycle|protocol|problem), (?![SL]\d)[A-Z][\w-]*"  # page, Section
    r"|\b(?:problem|specification), \"[^\"]*\""  # a page that cannot be cited
)
"""What reads as a citation and has not its form."""


def in_one_line(text: str) -> str:
    """The text with its lines joined, its quotes bare, and without the marks of comments and the linter's codes."""
    return re.sub(r"\s*\n\s*(?:#:?\s+)?", " ", re.sub(r"# noqa: [A-Z0-9, ]+", "", text)).replace('\\"', '"')


def citations(text: str) -> Iterator[str]:
    """What a text cites, one by one, whether or not it exists."""
    line = in_one_line(text)
    for match in RULE.finditer(line):
        numbers = re.split(r"(, | and | or | to )", match[1])
        for index in range(0, len(numbers), 2):
            ranged = index > 0 and numbers[index - 1] == " to "
            first = int(numbers[index - 2]) + 1 if ranged else int(numbers[index])
            yield from (f"rule {number}" for number in range(first, int(numbers[index]) + 1))
    for match in INVARIANT.finditer(line):
        yield from (f"{match[1]}{number}" for number in range(int(match[2]), int(match[3] or match[2]) + 1))
    for match in SECTION.finditer(line):
        yield f'{match[1].lower()}, "{match[2]}"'


def sources_of_tests() -> Iterator[tuple[str, str]]:
    """The name and the source of each test function, test class and `TestCase` of a state machine."""
    for path in sorted({*(ROOT / "tests").rglob("test_*.py")} - {EXAMPLES}):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        tree = ast.parse(text)
        for body in (tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))):
            for statement, following in pairwise((*body, ast.Pass())):
                last: ast.stmt = statement
                match statement:
                    case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                        first = min(each.lineno for each in (statement, *statement.decorator_list))
                    case ast.Assign(targets=[ast.Name(name)]):  # and the docstring after it
                        first, last = statement.lineno, following if isinstance(following, ast.Expr) else statement
                    case _:
                        continue
                if name.startswith(("test_", "Test")):
                    yield name, "\n".join(lines[first - 1 : last.end_lineno])


def cited_by_tests() -> Iterator[str]:
    """What the names and the sources of tests cite."""
    for name, source in sources_of_tests():
        if match := re.match(r"test_(\d\d?(?:_and_\d\d?)*)_", name):
            yield from (f"rule {number}" for number in match[1].split("_and_"))
        if match := re.match(r"test_([sl]\d\d?)_", name):
            yield match[1].upper()
        yield from citations(source)


def test_the_pages_define_what_is_to_be_cited() -> None:
    assert {f"rule {number}" for number in range(1, 14)} == RULES
    assert {f"S{number}" for number in range(1, 11)} | {f"L{number}" for number in range(1, 5)} == INVARIANTS
    assert {'lifecycle, "States"', 'lifecycle, "Events"', 'protocol, "Datagrams"', 'protocol, "Sign-in"'} <= SECTIONS


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("by rule 6, and", ["rule 6"]),
        ("Rules 1 to 3", ["rule 1", "rule 2", "rule 3"]),
        ("rules 1, 3 and 5", ["rule 1", "rule 3", "rule 5"]),
        ("# as rule\n    # 99 has it", ["rule 99"]),
        ("(lifecycle, S8)", ["S8"]),
        ("S9 to S11 hold", ["S9", "S10", "S11"]),
        ('(protocol, "Sign-in", step 1)', ['protocol, "Sign-in"']),
        ('Lifecycle,\n"Weather"', ['lifecycle, "Weather"']),
        (r'f"it is none (protocol, \"Weather\")"', ['protocol, "Weather"']),
        ("run()  # noqa: S60, S3 - our own", []),
        ("the rules, 3 of them", []),
    ],
)
def test_citations_are_found(text: str, cited: list[str]) -> None:
    assert list(citations(text)) == cited


def test_each_citation_names_something() -> None:
    known = RULES | INVARIANTS | SECTIONS
    unknown = [
        f"{path.relative_to(ROOT)}: {citation}"
        for path in FILES
        if path != EXAMPLES
        for citation in citations(path.read_text(encoding="utf-8"))
        if citation not in known
    ]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize(
    "text",
    ["(protocol, Datagrams)", "see protocol, Datagrams", "(lifecycle, all sections)", '(problem, "Named tests")'],
)
def test_another_form_is_noticed(text: str) -> None:
    assert OTHER_FORM.search(text)


@pytest.mark.parametrize("text", ['(protocol, "Sign-in", step 1)', "(lifecycle, rules 5 to 7)", "(lifecycle, L3)"])
def test_the_form_is_no_other(text: str) -> None:
    assert OTHER_FORM.search(text) is None


def test_citations_have_one_form() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in FILES
        if path != EXAMPLES
        for match in OTHER_FORM.finditer(in_one_line(path.read_text(encoding="utf-8")))
    ]
    assert not found, "\n".join(found)


def test_each_rule_and_invariant_is_cited_by_a_test() -> None:
    cited = set(cited_by_tests())
    assert not (RULES | INVARIANTS) - cited, sorted((RULES | INVARIANTS) - cited)
    assert not cited - RULES - INVARIANTS - SECTIONS, sorted(cited - RULES - INVARIANTS - SECTIONS)


def test_each_setting_stands_with_what_it_serves() -> None:
    """And nothing else does: `Settings:` begins a paragraph of the names of `Config`."""
    named = {
        name
        for text in LAW.values()
        for paragraph in re.findall(r"^Settings: (.+?)\n\n", text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`(\w+)`", paragraph)
    }
    settings = {field.name for field in fields(Config)}
    assert not settings - named, f"served by nothing: {sorted(settings - named)}"
    assert not named - settings, f"no settings: {sorted(named - settings)}"


def test_the_states_and_events_are_the_machines() -> None:
    states, events = (
        re.findall(r"^\| `?(\w+)`? \|", LAW["lifecycle"].split(f"\n## {section}\n")[1].split("\n## ")[0], re.MULTILINE)
        for section in ("States", "Events")
    )
    assert states == ["state", *State]
    assert sorted(events) == sorted(["event", *(event.trigger for event in EVENTS)])


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_links_to_a_place_on_a_page_lead_there(page: Path) -> None:
    for target, place in re.findall(r"\]\(([\w./]*\.md)?#([\w-]+)\)", page.read_text(encoding="utf-8")):
        text = (page.parent / target if target else page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        places = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert place in places | set(re.findall(r'<a id="(\w+)">', text)), f"{target}#{place}"
