"""Everything can be read and told apart on light and dark pages, also by readers who see no colours."""

import pytest

from agentcp_fsm.fsm.chart import Role
from agentcp_fsm.fsm.diagram.colours import COLOURS, KINDS, LOOKS, PAPERS, Colours
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.formats import Theme

GITHUB = ("#ffffff", "#0d1117")
"""The pages that Mermaid's diagrams are seen on."""


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", LOOKS.values(), ids=LOOKS)
def test_states_have_contrast(colours: Colours) -> None:
    """The text on its fill as WCAG asks of text (4.5); border or fill against the page (3)."""
    assert contrast(colours.fill, colours.text) >= 4.5
    for page in (*GITHUB, *(paper.page for paper in PAPERS.values())):
        assert max(contrast(colours.fill, page), contrast(colours.stroke, page)) >= 3


@pytest.mark.parametrize("theme", PAPERS)
def test_words_and_lines_have_contrast(theme: Theme) -> None:
    paper = PAPERS[theme]
    assert contrast(paper.ink, paper.page) >= 7
    for line in (paper.line, *paper.marks.values()):
        assert contrast(line, paper.page) >= 4.5


def test_every_role_has_its_look() -> None:
    assert set(COLOURS) == set(Role)
    assert len({(colours.fill, colours.border) for colours in COLOURS.values()}) == len(Role)


def test_every_kind_of_change_has_its_look() -> None:
    assert set(KINDS) == set(Kind)
    assert all(set(paper.marks) == set(Kind) for paper in PAPERS.values())
    assert len({colours.border for colours in KINDS.values()}) == len(Kind)
