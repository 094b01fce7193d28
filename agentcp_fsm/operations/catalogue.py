"""Every setting: what it is called, accepts and does, gathered from the dataclasses that define it."""

from __future__ import annotations

import ast
import difflib
import inspect
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.config import HIGHEST, LONGEST, SHORTEST, Config, check_setting
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions

PREFIX = "AGENTCP_FSM_"
"""What the names of environment variables begin with."""
OF_PROGRAM = (ConnectOptions, FleetOptions)
"""The groups of settings that hold for the whole program."""
GROUPS = (*OF_PROGRAM, AgentOptions, HandlerOptions, Config)
"""All groups; the last three are of each agent."""
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
"""How an environment variable says yes and no."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    source: Field[Any]
    """The field that defines it."""
    group: type
    """The dataclass that the field belongs to: one of `GROUPS`."""
    kind: type
    """The type of its values, but for None: bool, int, float, str, `Path` or an enumeration of texts."""

    @property
    def name(self) -> str:
        """The key in a configuration file."""
        return self.source.name

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The option of the command."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_of_agent(self) -> bool:
        """Whether each agent has its own."""
        return self.group not in OF_PROGRAM

    @property
    def default(self) -> object:
        """What holds without it; None: nothing, or as its help says."""
        return None if self.source.default is MISSING else self.source.default

    @property
    def help(self) -> str:
        """What it does, in sentences."""
        return documented(Config)[self.name] if self.group is Config else str(self.source.metadata["help"])

    @property
    def serves(self) -> str:
        """The rule or the section of the protocol that it serves; empty if it serves none."""
        return str(self.source.metadata.get("serves", ""))

    @property
    def accepts(self) -> str:
        """What values it can have, with their unit and bounds."""
        about = self.source.metadata
        if self.group is Config:
            zero = "0, or " if about.get("zero") else ""
            return {
                "seconds": f"seconds, {zero}{SHORTEST} to {LONGEST:.0f}",
                "count": f"a whole number, 1 to {HIGHEST}",
                "share": "a share, 0 to 1",
            }[about["unit"]]
        if issubclass(self.kind, StrEnum):
            return " or ".join(self.kind)
        if self.kind in (int, float):
            whole = "a whole number" if self.kind is int else "a number"
            return f"{whole}, {about['low']:g} to {about['high']:g}"
        return {bool: "true or false", Path: "a path", str: "a text"}[self.kind]

    def accept(self, value: object) -> object:
        """Return the value as the program takes it; raises ConfigError for one that cannot be."""
        if self.group is Config:
            check_setting(self.source, value)
            return value
        accepted: object = None
        if issubclass(self.kind, StrEnum):
            accepted = next((each for each in self.kind if each == value), None)
        elif self.kind in (int, float):
            about = self.source.metadata
            is_number = type(value) is int or (self.kind is float and type(value) is float)
            if is_number and about["low"] <= value <= about["high"]:
                accepted = value
        elif self.kind is Path:
            accepted = Path(value) if isinstance(value, str | Path) and str(value) and "\0" not in str(value) else None
        elif type(value) is self.kind and value != "":
            accepted = value
        if accepted is None:
            raise ConfigError(f"{self.name}={value!r}: give {self.accepts}")
        return accepted

    def read(self, text: str) -> object:
        """Return the value that an environment variable gives; text that gives none is returned as it is."""
        try:
            if self.kind is bool:
                return {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}.get(text.lower(), text)
            return self.kind(text) if self.kind in (int, float) else text
        except ValueError:
            return text

    @property
    def schema(self) -> dict[str, object]:
        """The JSON schema of its values."""
        about = self.source.metadata
        base: dict[str, object] = {"description": self.help}
        if self.default is not None:
            base["default"] = self.default if not isinstance(self.default, Path) else str(self.default)
        if self.group is Config:
            bounds: dict[str, object] = {"type": "number", "minimum": 0, "maximum": 1}
            if about["unit"] == "seconds":
                bounds = {"type": "number", "minimum": SHORTEST, "maximum": LONGEST}
            elif about["unit"] == "count":
                bounds = {"type": "integer", "minimum": 1, "maximum": HIGHEST}
            return base | ({"anyOf": [{"const": 0}, bounds]} if about.get("zero") else bounds)
        if issubclass(self.kind, StrEnum):
            return base | {"enum": [str(each) for each in self.kind]}
        if self.kind in (int, float):
            kind = "integer" if self.kind is int else "number"
            return base | {"type": kind, "minimum": about["low"], "maximum": about["high"]}
        return base | ({"type": "boolean"} if self.kind is bool else {"type": "string", "minLength": 1})


@cache
def settings() -> dict[str, Setting]:
    """Every setting by its name."""
    found: dict[str, Setting] = {}
    for group in GROUPS:
        hints = get_type_hints(group)
        for item in fields(group):
            kind = next((each for each in get_args(hints[item.name]) if each is not NoneType), hints[item.name])
            assert item.name not in found
            found[item.name] = Setting(item, group, kind)
    return found


def setting_named(name: str) -> Setting:
    """The setting of that name, however it is written; raises ConfigError with the nearest names if there is none."""
    plain = name.strip().removeprefix("--").replace("-", "_").lower().removeprefix(PREFIX.lower())
    if plain not in settings():
        raise ConfigError(f"there is no setting {name!r}{nearest(plain, settings())}")
    return settings()[plain]


def nearest(name: str, known: Any) -> str:
    """A remedy for a name that is not known."""
    near = difflib.get_close_matches(name, known, n=2)
    return f": did you mean {' or '.join(near)}?" if near else "; agentcp-fsm config explain lists all"


@cache
def documented(group: type) -> dict[str, str]:
    """The text below each field of a dataclass, in its source."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(group)))
    definition = tree.body[0]
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found
