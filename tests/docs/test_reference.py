"""The reference has every public name, every setting with what it serves, and every command."""

import re
from dataclasses import fields
from types import ModuleType

import pytest
import typer

import agentcp_fsm
import agentcp_fsm.fleet
import agentcp_fsm.sdk
import agentcp_fsm.server
import agentcp_fsm.sign_in
import agentcp_fsm.testing
import agentcp_fsm.wire
from agentcp_fsm import Config
from agentcp_fsm.cli import app
from docs.site import commands, reference
from docs.site.translations import DOCS

PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")}
DIRECTIVES = "\n".join(PAGES.values())
WHOLE_MODULES = set(re.findall(r"^\.\. automodule:: ([\w.]+)\n   :members:$", DIRECTIVES, re.MULTILINE))


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in (agentcp_fsm, agentcp_fsm.fleet) for name in package.__all__],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_each_public_name_stands_in_the_reference(package: ModuleType, name: str) -> None:
    defined_in = getattr(getattr(package, name), "__module__", "")
    directive = rf"^\.\. (auto\w+|data):: {package.__name__}\.{name}$"
    assert re.search(directive, DIRECTIVES, re.MULTILINE) or defined_in in WHOLE_MODULES


@pytest.mark.parametrize(
    "module", ["agentcp_fsm.sdk", "agentcp_fsm.server", "agentcp_fsm.testing", "agentcp_fsm.traces", "agentcp_fsm.wire"]
)
def test_so_do_whole_packages(module: str) -> None:
    assert module in WHOLE_MODULES


@pytest.mark.parametrize("setting", [field.name for field in fields(Config)])
def test_each_setting_has_its_unit_bounds_default_and_what_it_serves(setting: str) -> None:
    sentence, _, serves, _ = reference.about(setting)
    assert re.fullmatch(r"(Seconds|A share|A count): .+ to .+\. By default .+\.", sentence)
    assert str(getattr(Config(), setting)) in sentence
    assert re.fullmatch(r"Serves (`[^`]+ <\.\./(lifecycle|protocol)\.html#[\w-]+>`__(, )?)+\.", serves)


def test_each_command_is_there_with_its_options() -> None:
    text = commands.markdown()
    command: object = typer.main.get_command(app.app)
    names = [name for name, _ in _commands(command)]
    assert len(names) > 8
    for name, options in _commands(command):
        (section,) = re.findall(rf"^#+ `agentcp-fsm {name}`\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
        assert [option for option in options if option not in section] == []


def _commands(group: object, before: str = "") -> list[tuple[str, list[str]]]:
    """The commands below a group, each with its options, but for those that help does not show."""
    found = []
    for name, command in getattr(group, "commands", {}).items():
        shown = [each for each in command.params if not getattr(each, "hidden", False)]
        found.append((before + name, [option for each in shown for option in each.opts if option[:1] == "-"]))
        found += _commands(command, f"{before}{name} ")
    return found


def test_the_exit_statuses_are_those_of_the_command() -> None:
    statuses = re.findall(r"^\| (\d+) \|", PAGES["commands"], re.MULTILINE)
    assert statuses == ["0", "1", str(app.WRONG), str(app.INTERRUPTED)]
