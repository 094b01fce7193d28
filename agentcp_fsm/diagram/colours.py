"""What the roles of states look like: white text on a fill that stands out in light and dark pages alike."""

from dataclasses import dataclass

from agentcp_fsm.engine import Role


@dataclass(frozen=True, slots=True)
class Colours:
    """How a state is drawn.  Colours are ``#rrggbb``."""

    fill: str
    stroke: str
    text: str = "#ffffff"
    dashed: bool = False
    """Whether the border is: a second sign, where two fills are alike."""

    @property
    def mermaid(self) -> str:
        """The same as the style of a Mermaid class."""
        dashes = ",stroke-dasharray:4" if self.dashed else ""
        return f"fill:{self.fill},stroke:{self.stroke},color:{self.text}{dashes}"


COLOURS = {
    Role.REST: Colours("#57606a", "#8b949e"),
    Role.WORKING: Colours("#0969da", "#54aeff"),
    Role.HEALTHY: Colours("#1a7f37", "#4ac26b"),
    Role.IMPAIRED: Colours("#bc4c00", "#fb8f44"),
    Role.WAITING: Colours("#8250df", "#c297ff"),
    Role.LEAVING: Colours("#424a53", "#afb8c1", dashed=True),
}
