"""What the commands show: rich on a terminal, plain lines in a pipe, JSON lines on request."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agentcp_fsm.fsm.printable import printable

STATE_STYLES = {
    "OFFLINE": "dim",
    "SIGNING_IN": "cyan",
    "ONLINE": "bold green",
    "DEGRADED": "bold yellow",
    "RECONNECTING": "magenta",
    "BACKOFF": "blue",
    "STOPPING": "dim cyan",
}


class Output:
    """Writes what a command has to say; safe to use from several threads."""

    def __init__(self, json_lines: bool = False) -> None:
        self.json_lines = json_lines
        self.console = Console(highlight=False)
        self._lock = threading.Lock()

    def say(self, kind: str, text: str, **fields: Any) -> None:
        """Say one thing: `text`, in rich's markup, to people; `kind` and `fields` to programs."""
        with self._lock:
            if self.json_lines:
                at = datetime.now().astimezone().isoformat(timespec="milliseconds")
                self._write({"kind": kind, "at": at} | fields)
            else:
                # In a pipe, one thing is one line, however long.
                piped = not self.console.is_terminal
                self.console.print(f"[dim]{datetime.now():%H:%M:%S}[/dim] {text}", soft_wrap=piped)

    def table(self, kind: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show `table` on a terminal, else `rows`: as columns, with their keys as headings, or to programs."""
        with self._lock:
            if self.json_lines:
                for row in rows:
                    self._write({"kind": kind} | dict(row))
            elif self.console.is_terminal:
                self.console.print(table)
            elif rows:
                cells = [[key.upper().replace("_", " ") for key in rows[0]]]
                cells += [[_cell(value) for value in row.values()] for row in rows]
                widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
                for line in cells:
                    padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
                    self.console.print("  ".join(padded).rstrip(), markup=False, soft_wrap=True)

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
            return ",".join(map(str, value))
        case _:
            return printable(str(value))


def shown(text: str) -> str:
    """Any text as markup that shows it as it is, and steers nothing."""
    return escape(printable(text))


class LineFormatter(logging.Formatter):
    """A formatter whose lines cannot steer a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """One line."""
        return printable(super().formatMessage(record))


def state_text(state: str) -> str:
    """A state's name in its colour."""
    return f"[{STATE_STYLES[state]}]{state}[/]"


def transition_text(source: str, dest: str, reason: str, detail: str) -> str:
    """A transition as one line of markup."""
    because = f" [dim]({shown(detail)})[/dim]" if detail else ""
    return f"{state_text(source)} → {state_text(dest)}  {shown(reason)}{because}"


def markup(text: str) -> Text:
    """Rich's markup as text, for tables."""
    return Text.from_markup(text)
