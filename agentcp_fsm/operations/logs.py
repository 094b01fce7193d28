"""The library's log lines for operators: as text with a full date, or as JSON; repeated ones folded.

    handler = logging.StreamHandler()
    handler.setFormatter(formatter(LogFormat.JSON))
    handler.addFilter(Folding())
    logging.getLogger("agentcp_fsm").addHandler(handler)

The fields that a line may carry besides its text are `FIELDS`.
"""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from agentcp_fsm.fsm.printable import printable

FIELDS = ("agent", "source", "dest", "trigger", "attempt", "folded")
"""What the library's lines carry in ``extra``: the agent's id; of a transition its states, its trigger and the number
of the attempt; how many lines were folded into this one."""
BURST = 20
"""How many lines of one kind about one agent are let through within `SPAN`; further ones are folded."""
SPAN = 60.0
"""Seconds."""
KINDS_MAX = 4096
"""How many kinds of lines are remembered at most."""


class LogFormat(StrEnum):
    """How lines of the log are written."""

    TEXT = "text"
    JSON = "json"


class TextFormatter(logging.Formatter):
    """One printable line, whose time has a date and an offset: ``2026-11-25T09:30:00.000+00:00 INFO logger: text``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """The time, ISO 8601, in the local time zone."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """One line."""
        return printable(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, in UTC, ``level``, ``logger``, ``message``, the `FIELDS` that are there,
    and ``exception``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, in ASCII."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        content = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        content |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            content["stack"] = record.stack_info
        return json.dumps(content, default=str)


def formatter(kind: LogFormat) -> logging.Formatter:
    """The formatter of this kind."""
    return JsonFormatter() if kind is LogFormat.JSON else TextFormatter()


class Folding(logging.Filter):
    """Lets `BURST` lines of one kind about one agent through within `SPAN` seconds, and counts the rest.

    The count comes with the next line of the kind that is let through: in its text, and as ``folded``.  Errors are
    never folded.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: OrderedDict[tuple[object, ...], list[float]] = OrderedDict()
        """Of each kind: since when it is counted, how many came, how many were folded."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through; called under the handler's lock, or not at all at once."""
        if record.levelno >= logging.ERROR:
            return True
        now = self._clock()
        kind = (record.name, record.levelno, record.msg, getattr(record, "agent", None))
        since, count, folded = self._seen.pop(kind, (now, 0, 0))
        if now - since >= SPAN:
            since, count = now, 0
        if count >= BURST:
            self._seen[kind] = [since, count, folded + 1]
            return False
        if folded:
            record.folded = int(folded)
            record.msg = f"{record.msg} (... {int(folded):,} more folded)"
        self._seen[kind] = [since, count + 1, 0]
        while len(self._seen) > KINDS_MAX:
            self._seen.popitem(last=False)
        return True
