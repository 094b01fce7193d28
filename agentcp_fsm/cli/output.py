"""The commands' output: rich on a terminal, plain lines in a pipe, JSON lines on request."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from agentcp_fsm.fsm.chart import Role
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.support.messages import translated

STATE_STYLES = {
    "OFFLINE": "dim",
    "SIGNING_IN": "cyan",
    "ONLINE": "bold green",
    "DEGRADED": "bold yellow",
    "RECONNECTING": "magenta",
    "BACKOFF": "blue",
    "STOPPING": "dim cyan",
}
ROLE_STYLES = {
    Role.REST: "dim",
    Role.WORKING: "cyan",
    Role.HEALTHY: "bold green",
    Role.IMPAIRED: "bold yellow",
    Role.WAITING: "blue",
    Role.LEAVING: "dim cyan",
}
"""Of the states of any chart."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the error, which rich would make an exit, to the command."""
        raise  # which rich is handling


Part = str | tuple[str, str] | Text
"""Some text, which is shown as it is; with a style; or with several."""


class Output:
    """Writes a command's output; safe to use from several threads.

    No text is taken for markup or an emoji code, and no character steers a terminal.  A line that cannot be written
    raises OSError.  With `on_lost`, that is called instead, the error is kept for `check`, and later lines are dropped.
    """

    def __init__(self, json_lines: bool = False, on_lost: Callable[[], object] | None = None) -> None:
        self.json_lines = json_lines
        self.console: Console = _Console(highlight=False, emoji=False, markup=False)
        self._on_lost = on_lost
        self._error: OSError | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise the OSError of the first line that could not be written, if there was one."""
        if self._error is not None:
            raise self._error

    def say(self, kind: str, *parts: Part, **fields: Any) -> None:
        """Say one thing: `parts`, one after the other, to people; `kind` and `fields` to programs."""
        with self._writing():
            if self.json_lines:
                at = datetime.now().astimezone().isoformat(timespec="milliseconds")
                self._write({"kind": kind, "at": at} | fields)
            else:
                line = plain((f"{datetime.now():%H:%M:%S}", "dim"), " ", *parts)
                # In a pipe, one thing is one line, however long; on a terminal, no word is broken in two.
                whole = not self.console.is_terminal or max(map(len, line.plain.split())) >= self.console.width
                self.console.print(line, soft_wrap=whole)

    def say_transition(
        self, transition: ReportTransition, detail: str | None = None, prefix: Sequence[Part] = (), **fields: Any
    ) -> None:
        """Say a transition; people are shown another `detail` than its own, if one is given, and a `prefix`."""
        shown = transition.detail if detail is None else detail
        self.say(
            "transition",
            *prefix,
            transition_text(transition, shown),
            source=transition.source,
            dest=transition.dest,
            trigger=transition.trigger,
            reason=transition.reason,
            detail=transition.detail,
            **fields,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except OSError as error:
                if self._on_lost is None:
                    raise
                self._error = self._error or error
                self._on_lost()

    def table(self, kind: str, table: RenderableType, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show `table` on a terminal, else `rows`: as columns, with their keys as headings, or to programs."""
        with self._writing():
            if self.json_lines:
                for row in rows:
                    self._write({"kind": kind} | dict(row))
            elif self.console.is_terminal:
                self.console.print(table)
            elif rows:
                cells = [[key.upper().replace("_", " ") for key in rows[0]]]
                cells += [[_cell(value) for value in row.values()] for row in rows]
                widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
                for line in cells:
                    padded = map(set_width, line, widths)
                    self.console.print("  ".join(padded).rstrip(), soft_wrap=True)

    def _write(self, content: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(content) + "\n")
        sys.stdout.flush()


def _cell(value: Any) -> str:
    match value:
        case None | [] | "" | False:
            return "-"
        case True:
            return "yes"
        case float():
            return f"{value:.2f}"
        case list():
            return printable(",".join(map(str, value)))
        case _:
            return printable(str(value))


def set_width(text: str, width: int) -> str:
    """Return the text with spaces up to its width on a terminal, where some letters take two columns."""
    return text + " " * max(width - cell_len(text), 0)


def plain(*parts: Part) -> Text:
    """Make one text of parts, each shown as it is; only a `Text` may bring more than one line."""
    text = Text()
    for part in parts:
        match part:
            case Text():
                text.append_text(part)
            case (content, style):
                text.append(printable(content), style)
            case _:
                text.append(printable(part))
    return text


def state_text(state: str) -> Text:
    """A state's name in its colour."""
    return plain((state, STATE_STYLES[state]))


def transition_text(transition: ReportTransition, detail: str) -> Text:
    """A transition as one line."""
    states = state_text(transition.source), " → ", state_text(transition.dest)
    return plain(*states, f"  {translated(transition.reason)}", (f" ({detail})" if detail else "", "dim"))
