"""The page is one file that loads nothing else, and the texts of a chart are only text in it."""

import base64
import hashlib
import json
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from agentcp_fsm.fsm.chart import Chart
from agentcp_fsm.fsm.diagram.document import document
from agentcp_fsm.fsm.diagram.formats import FORMATS
from agentcp_fsm.fsm.diagram.page import ASSETS, SCRIPTS, page, page_with
from agentcp_fsm.lifecycle.chart import CHART
from tests.diagram.browser import NODE, node_package
from tests.diagram.strategies import hostile_charts
from tests.needs import needs_program

PICTURES = {
    "overview": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>.a { fill: red }</style></svg>'
}
VOID = {"meta", "input"}


class Outline(HTMLParser):
    """The elements of a page with their attributes, and what stands in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            (self.scripts if self.open[-1] == "script" else self.styles).append(data)


@pytest.fixture(scope="module")
def ours() -> str:
    return page(CHART)


@given(hostile_charts())
@settings(max_examples=30)
def test_no_text_of_a_chart_is_more_than_text(chart: Chart) -> None:
    plain = Outline(page_with(Chart("plain", "A", (), ()), PICTURES))
    found = Outline(page_with(chart, PICTURES, "any:CHART"))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert [attributes.keys() for _, attributes in found.elements] == [
        attributes.keys() for _, attributes in plain.elements
    ]
    content = json.loads(found.scripts[0])
    assert {key: content[key] for key in document(chart)} == json.loads(json.dumps(document(chart)))
    assert found.scripts[1:] == plain.scripts[1:]


def test_the_page_allows_itself_only_its_own_scripts_and_styles(ours: str) -> None:
    outline = Outline(ours)
    policies = [attributes["content"] for tag, attributes in outline.elements if "http-equiv" in attributes]
    assert len(policies) == 1
    assert policies[0] is not None
    policy = dict(part.split(" ", 1) for part in policies[0].split("; "))
    assert policy.pop("default-src") == policy.pop("base-uri") == policy.pop("form-action") == "'none'"

    def hashes(texts: list[str]) -> set[str]:
        return {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}

    assert set(policy.pop("script-src").split()) == hashes(outline.scripts[1:])
    assert set(policy.pop("style-src").split()) == hashes(outline.styles)
    assert not policy


def test_the_page_refers_to_nothing_outside(ours: str) -> None:
    for tag, attributes in Outline(ours).elements:
        assert not attributes.keys() & {"src", "href", "srcset", "action", "style", "data"}, tag
        assert not [name for name in attributes if name.startswith("on")], tag
    assert "\r" not in ours  # which a browser would drop, and then refuse the scripts
    assert set(re.findall(r"[a-z]+://[^\s\"'<)]+", ours)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in ours
    assert "@import" not in ours


def test_the_types_of_the_script_are_right() -> None:
    compiler = node_package("typescript") / "bin" / "tsc"
    node = needs_program("node", "nodejs")
    result = subprocess.run([node, compiler, "-p", NODE / "jsconfig.json"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_no_script_takes_a_name_of_another() -> None:
    """They share one scope, in which a second function of a name silently takes the first one's place."""
    scripts = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    names = Counter(re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", scripts, re.MULTILINE))
    assert names["render"] == 1
    assert [name for name, number in names.items() if number > 1] == []


def test_the_page_is_a_format() -> None:
    assert FORMATS["html"].export(CHART).decode() == page(CHART)


def test_tests_import_the_chart_from_where_the_caller_says() -> None:
    for chart in (CHART, Chart("other", "A", (), ())):
        assert '"imported_from":"the_module_of:CHART"' in page_with(chart, PICTURES)
        assert '"imported_from":"houses:FRONT"' in page_with(chart, PICTURES, "houses:FRONT")
    assert b'"imported_from":"houses:FRONT"' in FORMATS["html"].export(CHART, imported_from="houses:FRONT")
