"""``agentcp-fsm config``: the settings of ``connect``, with their origins, explained, and as a schema."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from agentcp_fsm.cli.options import ConfigFile, Flags, with_settings
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions

app = typer.Typer(help="The settings of connect: show, explain, and describe them.")


@app.command(
    help="""Show the effective settings of connect, and where each comes from.

    The origin is a line of the configuration file, an environment variable, an option, or the default.  No secret is
    a setting, so none is shown.
    """,
)
@with_settings(ConnectOptions, FleetOptions, AgentOptions, HandlerOptions, Config)
def show(
    flags: Flags,
    config: ConfigFile = None,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what has its default.")] = False,
) -> None:
    from rich.table import Table

    from agentcp_fsm.cli.output import Output, plain
    from agentcp_fsm.operations.settings import DEFAULT, load

    output = Output(bool(flags.pop("json", False)))
    loaded = load(config, flags)
    parts: list[tuple[str, object, Mapping[str, str]]] = [
        ("", group, loaded.origins) for group in (loaded.command, loaded.fleet)
    ]
    for agent in loaded.agents:
        parts += [
            (agent.options.agent_id, group, agent.origins) for group in (agent.options, agent.handlers, agent.config)
        ]
    rows = [
        {"agent": agent_id, "setting": name, "value": _plain(getattr(group, name)), "origin": origins[name]}
        for agent_id, group, origins in parts
        for name in (item.name for item in fields(group))  # type: ignore[arg-type] # each is a dataclass
        if not (changed and origins[name] == DEFAULT)
    ]
    table = Table("agent", "setting", "value", "origin", box=None)
    for row in rows:
        table.add_row(*(plain(str(value)) for value in row.values()))
    output.table("setting", table, rows)


@app.command(help="Explain a setting: what it does, accepts and serves; without a name, list all.")
def explain(
    name: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The setting, such as interval_max.")] = None,
) -> None:
    from agentcp_fsm.operations.catalogue import setting_named, settings
    from agentcp_fsm.operations.reference import explained

    if name is not None:
        typer.echo(explained(setting_named(name)))
        return
    width = max(map(len, settings()))
    for setting in settings().values():
        typer.echo(f"{setting.name:{width}}  {setting.help.partition('. ')[0].removesuffix('.')}")


@app.command(help="Print the JSON schema of a configuration file, for editors and validators.")
def schema() -> None:
    from agentcp_fsm.operations.reference import schema as make

    sys.stdout.write(json_module.dumps(make(), indent=2) + "\n")


@app.command(help="Print the reference page of all settings, in Markdown.")
def reference() -> None:
    from agentcp_fsm.operations.reference import page

    typer.echo(page(), nl=False)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
