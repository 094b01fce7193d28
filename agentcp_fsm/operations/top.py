"""``agentcp-fsm top``: a live view of the agents of status places, on a terminal.  It needs the extra ``top``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.operations.agent_view import (
    STATES,
    AgentView,
    details,
    duration,
    milliseconds,
    percentage,
    view_of,
)

Ask = Callable[[str], list[dict[str, Any]]]
"""Returns how the agents of a status place are, or raises AgentCPError; may block."""
COLUMNS: tuple[tuple[str, Callable[[AgentView], Any]], ...] = (
    ("agent", lambda view: view.agent_id),
    ("state", lambda view: STATES.index(view.state) if view.state in STATES else len(STATES)),
    ("since", lambda view: -1.0 if view.since is None else view.since),
    ("round trip", lambda view: -1.0 if view.round_trip is None else view.round_trip),
    ("missed", lambda view: -1.0 if view.loss_rate is None else view.loss_rate),
    ("losses", lambda view: view.losses),
    ("last reason", lambda view: view.last_reason),
)
"""The columns, and what they are sorted by."""
STYLES = {
    "OFFLINE": "dim",
    "SIGNING_IN": "cyan",
    "ONLINE": "bold green",
    "DEGRADED": "bold yellow",
    "RECONNECTING": "magenta",
    "BACKOFF": "blue",
    "STOPPING": "dim cyan",
}


class Details(ModalScreen[None]):
    """All that is known of one agent."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss", "back")]
    DEFAULT_CSS = """
    Details { align: center middle; }
    Details VerticalScroll { width: 95%; height: 95%; border: round $primary; padding: 0 1; background: $surface; }
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def compose(self) -> ComposeResult:
        """A text that scrolls."""
        with VerticalScroll():
            yield Static(id="details")

    def show(self, view: AgentView | None) -> None:
        """Show the agent as it is now; None: it is gone."""
        lines = ["the status place does not know it any more"] if view is None else details(view)
        self.query_one("#details", Static).update(Text("\n".join(lines)))


class Top(App[None]):
    """The view; `ask` is asked for each of the `places` every `interval` seconds."""

    TITLE = "agentcp-fsm top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort by the next column"),
        Binding("r", "reverse", "reverse"),
        Binding("slash", "filter", "filter"),
        Binding("escape", "clear", "all", show=False),
        Binding("q", "quit", "quit"),
    ]
    CSS = """
    #summary { height: auto; padding: 0 1; }
    #filter { display: none; }
    #filter.shown { display: block; }
    """

    def __init__(self, places: Sequence[str], ask: Ask, interval: float = 1.0) -> None:
        super().__init__()
        self._places = places
        self._ask = ask
        self._interval = interval
        self._views: dict[str, list[AgentView]] = {}
        self._errors: dict[str, str] = {}
        self._sorted_by = 0
        self._reversed = False
        self._wanted = ""
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        """A line of sums, the table, and the filter when it is asked for."""
        yield Static(id="summary")
        yield DataTable[Text](id="agents", cursor_type="row")
        yield Input(
            placeholder="a part of an agent's id, state or reason; Enter keeps it, Escape shows all", id="filter"
        )
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        table = self.query_one(DataTable)
        table.focus()
        for place in self._places:
            self.run_worker(self._follow(place), group=place)

    async def _follow(self, place: str) -> None:
        while True:
            try:
                agents = await asyncio.to_thread(self._ask, place)
            except AgentCPError as error:
                self._errors[place] = str(error)
                self._views.pop(place, None)
            else:
                self._errors.pop(place, None)
                self._views[place] = [view_of(place, agent) for agent in agents]
            self.refresh_agents()
            await asyncio.sleep(self._interval)

    def refresh_agents(self) -> None:
        """Show what is known now; the cursor stays with its agent."""
        views = [view for found in self._views.values() for view in found]
        chosen = [view for view in views if view.matches(self._wanted)]
        name, key = COLUMNS[self._sorted_by]
        chosen.sort(key=lambda view: (key(view), view.agent_id), reverse=self._reversed)
        table = self.query_one("#agents", DataTable)
        selected = self._selected()
        table.clear(columns=True)
        arrow = "▲" if not self._reversed else "▼"
        table.add_columns(*(f"{title} {arrow}" if title == name else title for title, _ in COLUMNS))
        for view in chosen:
            table.add_row(*_cells(view), key=view.key)
        self._shown = [view.key for view in chosen]
        if selected in self._shown:
            table.move_cursor(row=self._shown.index(selected), animate=False)
        self.query_one("#summary", Static).update(self._summary(views, len(chosen)))
        if isinstance(self.screen, Details):
            wanted = self.screen.key
            self.screen.show(next((view for view in views if view.key == wanted), None))

    def _summary(self, views: list[AgentView], shown: int) -> Text:
        counts = {state: sum(view.state == state for view in views) for state in STATES}
        text = Text(f"{len(views)} agents")
        for state, count in counts.items():
            if count:
                text.append("  ")
                text.append(f"{state} {count}", STYLES[state])
        if shown != len(views):
            text.append(f"  ({shown} shown: {self._wanted!r})", "dim")
        for error in self._errors.values():
            text.append(f"\n{error}", "bold red")
        return text

    def _selected(self) -> str | None:
        row = self.query_one("#agents", DataTable).cursor_row
        return self._shown[row] if row < len(self._shown) else None

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sorted_by = (self._sorted_by + 1) % len(COLUMNS)
        self.refresh_agents()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._reversed = not self._reversed
        self.refresh_agents()

    def action_filter(self) -> None:
        """Ask for a filter."""
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_clear(self) -> None:
        """Show all agents."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.remove_class("shown")
        self.query_one(DataTable).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._wanted = event.value
        self.refresh_agents()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the table; the filter stays."""
        self.query_one("#agents", DataTable).focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the details of an agent."""
        if (key := event.row_key.value) is not None:
            self.push_screen(Details(key))
            self.call_after_refresh(self.refresh_agents)


def _cells(view: AgentView) -> list[Text]:
    shown = (view.agent_id, duration(view.since), milliseconds(view.round_trip), percentage(view.loss_rate))
    agent, since, round_trip, missed = map(Text, shown)
    state = Text(view.state, STYLES.get(view.state, ""))
    for number in (since, round_trip, missed):
        number.justify = "right"
    return [agent, state, since, round_trip, missed, Text(str(view.losses), justify="right"), Text(view.last_reason)]
