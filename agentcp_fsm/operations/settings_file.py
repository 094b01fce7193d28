"""The configuration file: TOML, whose mistakes are named with their line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.operations.catalogue import nearest, settings
from agentcp_fsm.support import files

AGENT, AGENTS = "agent", "agents"
"""The table that holds for all agents, and the tables of one agent each."""
_TABLE = re.compile(r"\s*(\[\[?)\s*([\w.\"'-]+)\s*\]")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")
_SECRET = re.compile(r"pass|secret|token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layer:
    """Some settings of a file, each with its place there."""

    values: Mapping[str, object]
    places: Mapping[str, str]
    """``FILE:LINE`` for each."""

    def over(self, other: Layer) -> Layer:
        """These, and those of another layer that are not among them."""
        return Layer({**other.values, **self.values}, {**other.places, **self.places})


NOTHING = Layer({}, {})


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An agent whose settings cannot be."""

    agent_id: str
    """As far as it is known; else empty."""
    error: ConfigError
    """What is wrong, with its place."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a configuration file says: for the command, for all agents, and for each agent."""

    command: Layer = NOTHING
    agent: Layer = NOTHING
    agents: tuple[Layer | BadEntry, ...] = ()


def read_file(file: Path) -> SettingsFile:
    """Read a configuration file; raises ConfigError for one that is not there, no TOML, or has unknown keys.

    Relative paths in it are taken from its own folder.
    """
    try:
        text = files.read_small(file).decode()
        content = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"the configuration {file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration {file} is no TOML: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration {file} is no TOML: {error}") from None
    lines = _lines(text)
    table, entries = content.pop(AGENT, {}), content.pop(AGENTS, [])
    if not isinstance(table, dict):
        raise ConfigError(f"{file}:{lines.get((AGENT,), 1)}: {AGENT} is no table: write [{AGENT}], and its keys below")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            f"{file}:{lines.get((AGENTS,), 1)}: {AGENTS} are no tables: begin each agent with [[{AGENTS}]]"
        )
    return SettingsFile(
        _layer(file, lines, (), content, of_agent=False),
        _layer(file, lines, (AGENT,), table, of_agent=True),
        tuple(_entry(file, lines, (AGENTS, str(n)), entry) for n, entry in enumerate(entries)),
    )


Where = tuple[str, ...]


def _entry(file: Path, lines: Mapping[Where, int], where: Where, entry: dict[str, Any]) -> Layer | BadEntry:
    try:
        return _layer(file, lines, where, entry, of_agent=True)
    except ConfigError as error:
        return BadEntry(str(entry.get("agent_id", "")), error)


def _layer(file: Path, lines: Mapping[Where, int], where: Where, table: dict[str, Any], *, of_agent: bool) -> Layer:
    known = [name for name, setting in settings().items() if setting.is_of_agent is of_agent]
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for key, value in table.items():
        line = lines.get((*where, key)) or lines.get(where) or 1
        place = f"{file}:{line}"
        if key not in known:
            raise ConfigError(f"{place}: {_unknown(key, known, of_agent=of_agent)}")
        is_path = settings()[key].kind is Path and isinstance(value, str) and value
        values[key] = file.absolute().parent / value if is_path else value
        places[key] = place
    return Layer(values, places)


def _unknown(key: str, known: list[str], *, of_agent: bool) -> str:
    if key in settings():
        table = f"the top of the file, before [{AGENT}]" if of_agent else f"[{AGENT}] or [[{AGENTS}]]"
        return f"{key} is in the wrong table: it belongs in {table}"
    if _SECRET.search(key) and key not in settings():
        return (
            f"there is no setting {key!r}, because secrets do not belong in this file: give password_file,"
            " password_env, password_command or password_credential"
        )
    return f"there is no setting {key!r} here{nearest(key, known)}"


def _lines(text: str) -> dict[Where, int]:
    """The line of each table and key, but for those in inline tables."""
    found: dict[Where, int] = {}
    where: Where = ()
    count = 0
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            if table := _TABLE.match(line):
                where = _names(table[2])
                if table[1] == "[[":
                    where = (*where, str(count))
                    count += 1
                found.setdefault(where, number)
            elif key := _KEY.match(line):
                found.setdefault((*where, *_names(key[1])), number)
        for quotes in ('"""', "'''"):
            if inside in ("", quotes) and line.count(quotes) % 2:
                inside = "" if inside else quotes
    return found


def _names(dotted: str) -> Where:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
