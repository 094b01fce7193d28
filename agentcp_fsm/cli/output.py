"""What the commands show: rich on a terminal, plain lines in a pipe, JSON lines on request."""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160
"""Columns of a table that no terminal bounds."""
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
    """Where a command's words go; safe to use from several threads."""

    def __init__(self, json_lines: bool = False) -> None:
        self.json_lines = json_lines
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
        self._lock = threading.Lock()

    def say(self, kind: str, text: str, **fields: Any) -> None:
        """Tell one thing: `text`, in rich's markup, to people; `kind` and `fields` to programs."""
        with self._lock:
            if self.json_lines:
                at = datetime.now().astimezone().isoformat(timespec="milliseconds")
                self._write({"kind": kind, "at": at} | fields)
            else:
                self.console.print(f"[dim]{datetime.now():%H:%M:%S}[/dim] {text}", soft_wrap=True)

    def table(self, kind: str, table: Table, rows: list[dict[str, Any]]) -> None:
        """Show a table to people, and its rows to programs."""
        with self._lock:
            if self.json_lines:
                for row in rows:
                    self._write({"kind": kind} | row)
            else:
                self.console.print(table)

    def _write(self, content: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def state_text(state: str) -> str:
    """A state's name in its colour."""
    return f"[{STATE_STYLES[state]}]{state}[/]"


def transition_text(source: str, dest: str, reason: str, detail: str) -> str:
    """A transition as one line of markup."""
    because = f" [dim]({escape(detail)})[/dim]" if detail else ""
    return f"{state_text(source)} → {state_text(dest)}  {escape(reason)}{because}"


def markup(text: str) -> Text:
    """Rich's markup as text, for tables."""
    return Text.from_markup(text)
