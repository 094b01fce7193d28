"""The looks of roles and of kinds of change: white on a fill that stands out on light and dark pages alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from agentcp_fsm.fsm.chart import Role
from agentcp_fsm.fsm.diagram.diff import Kind
from agentcp_fsm.fsm.diagram.formats import Theme


@dataclass(frozen=True, slots=True)
class Colours:
    """How a state is drawn.  Colours are ``#rrggbb``."""

    fill: str
    stroke: str
    text: str = "#ffffff"
    border: str = "solid"
    """``solid``, ``dashed``, ``dotted`` or ``bold``: a second sign, beside the colour."""

    @property
    def mermaid(self) -> str:
        """The same as the style of a Mermaid class."""
        width = ",stroke-width:3px" if self.border == "bold" else ""
        return f"fill:{self.fill},stroke:{self.stroke},color:{self.text}{self._mermaid_dashes}{width}"

    @property
    def mermaid_border(self) -> str:
        """The same of its border alone, which is a thick one."""
        return f"stroke:{self.stroke},stroke-width:4px{self._mermaid_dashes or ',stroke-dasharray:0'}"

    @property
    def _mermaid_dashes(self) -> str:
        return {"dashed": ",stroke-dasharray:4", "dotted": ",stroke-dasharray:2"}.get(self.border, "")

    @property
    def graphviz_style(self) -> str:
        """The same as the style of a node of Graphviz."""
        return f"rounded,filled,{'solid' if self.border == 'bold' else self.border}"

    @property
    def width(self) -> float:
        """Of the border, in points."""
        return 2.5 if self.border == "bold" else 1.5


COLOURS = {
    Role.REST: Colours("#57606a", "#8b949e"),
    Role.WORKING: Colours("#0969da", "#54aeff"),
    Role.HEALTHY: Colours("#1a7f37", "#4ac26b", border="bold"),
    Role.IMPAIRED: Colours("#bc4c00", "#fb8f44", border="dashed"),
    Role.WAITING: Colours("#8250df", "#c297ff", border="dotted"),
    Role.LEAVING: Colours("#424a53", "#afb8c1", border="dashed"),
}
KINDS = {
    Kind.ADDED: Colours("#1a7f37", "#2da44e", border="bold"),
    Kind.REMOVED: Colours("#cf222e", "#e5534b", border="dashed"),
    Kind.CHANGED: Colours("#9a6700", "#bf8700", border="dotted"),
}
PLAIN = Colours("#6e7781", "#8b949e")
"""A state without a role, or one that did not change."""
LOOKS: Mapping[str, Colours] = {
    str(look): colours for look, colours in [*COLOURS.items(), *KINDS.items(), ("plain", PLAIN)]
}
"""The colours of a state, by its role or its kind of change, or ``plain``."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The colours of the page and of everything on it but the states."""

    page: str
    ink: str
    line: str
    marks: Mapping[Kind, str]
    """Of the lines that changed."""


PAPERS = {
    Theme.LIGHT: Paper(
        "#ffffff", "#1f2328", "#59636e", {Kind.ADDED: "#1a7f37", Kind.REMOVED: "#cf222e", Kind.CHANGED: "#9a6700"}
    ),
    Theme.DARK: Paper(
        "#0d1117", "#e6edf3", "#9198a1", {Kind.ADDED: "#3fb950", Kind.REMOVED: "#f85149", Kind.CHANGED: "#d29922"}
    ),
}
