"""What there is to set, for people and for editors; it needs pydantic-settings (the extra ``config``)."""

from __future__ import annotations

from itertools import groupby

from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.catalogue import Setting, settings
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions
from agentcp_fsm.operations.settings import model

TITLES = {
    ConnectOptions: ("The command", "These keys stand at the top of the file: they hold for the whole program."),
    FleetOptions: ("A fleet", "These keys stand there, too: they hold for `agentcp-fsm fleet run`."),
    AgentOptions: ("An agent", "These keys stand in `[agent]`, for all agents, or in `[[agents]]`, for one."),
    HandlerOptions: (
        "An agent's invitations",
        "These keys stand where those of an agent do. Each that is given is done with every invitation.",
    ),
    Config: (
        "Thresholds and timings",
        "These keys stand where those of an agent do. They are the fields of `Config`; times are seconds.",
    ),
}
HEAD = """\
# Settings

<!-- written by: agentcp-fsm config reference -->

Every setting of `agentcp-fsm connect` can be given in a configuration file, as an environment variable and as an
option; later ones outweigh earlier ones. `interval_max` is the variable `AGENTCP_FSM_INTERVAL_MAX` and the option
`--interval-max`. [Operating agents](operations.md#configuration) explains how. `agentcp-fsm fleet run` reads the same
file, and has options for what holds for the whole program.
"""


def explained(setting: Setting) -> str:
    """What a setting does, for a person."""
    lines = [
        f"{setting.name}: {setting.help}",
        "",
        f"accepts   {setting.accepts}",
        f"default   {_default(setting)}",
        f"serves    {setting.serves}" if setting.serves else "",
        f"file      {'[agent] or [[agents]]' if setting.is_of_agent else 'the top of the file'}",
        f"variable  {setting.variable}",
        f"option    {'the argument' if setting.name == 'agent_id' else setting.flag}",
    ]
    return "\n".join(line for number, line in enumerate(lines) if line or number == 1)


def page() -> str:
    """The reference page, in Markdown."""
    parts = [HEAD]
    for group, members in groupby(settings().values(), key=lambda setting: setting.group):
        title, says = TITLES[group]
        rows = (
            ("key", "what it does", "accepts", "default", "serves"),
            ("---",) * 5,
            *((f"`{each.name}`", each.help, each.accepts, _default(each), _link(each)) for each in members),
        )
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        parts.append(f"\n## {title}\n\n{says}\n\n{table}\n")
    return "".join(parts)


def schema() -> dict[str, object]:
    """The JSON schema of a configuration file."""
    agent = model(of_agent=True).model_json_schema()["properties"]
    table = {"type": "object", "properties": _untitled(agent), "additionalProperties": False}
    program = _untitled(model(of_agent=False).model_json_schema()["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of agentcp-fsm connect and fleet run",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **program,
            "agent": {**table, "description": "What holds for all agents, or the settings of the only one."},
            "agents": {
                "type": "array",
                "items": {**table, "required": ["agent_id"]},
                "description": "One for each agent.",
            },
        },
    }


def _untitled(properties: dict[str, dict[str, object]]) -> dict[str, object]:
    """The properties without what pydantic adds: titles made of their names, and defaults of None."""
    return {
        name: {key: each for key, each in about.items() if key != "title" and (key, each) != ("default", None)}
        for name, about in properties.items()
    }


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "-"
    return str(setting.default).lower() if setting.kind is bool else f"{setting.default}"


def _link(setting: Setting) -> str:
    if not setting.serves:
        return ""
    return f"[{setting.serves}]({'protocol' if setting.serves.startswith('protocol') else 'lifecycle'}.md)"
