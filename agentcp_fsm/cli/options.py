"""The options that several commands share, and the objects made from them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from agentcp_fsm.cli import streams
from agentcp_fsm.errors import PasswordRequiredError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.agents import password_of
from agentcp_fsm.operations.catalogue import Setting, settings
from agentcp_fsm.operations.options import AgentOptions

if TYPE_CHECKING:
    from agentcp_fsm.sign_in import Credentials

AgentId = Annotated[str, typer.Argument(metavar="AGENT_ID", help="The agent's id, such as alice.agentid.pub.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="AGENTCP_FSM_DATA", help=str(settings()["data"].help)),
]
PasswordFile = Annotated[Path | None, typer.Option(help=str(settings()["password_file"].help))]
PasswordEnv = Annotated[str | None, typer.Option(help=str(settings()["password_env"].help))]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", envvar="AGENTCP_FSM_CONFIG", help="A configuration file (TOML)."),
]

Flags = dict[str, object]
"""The settings that are given as options, by their names."""


def with_settings(*groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each setting of `groups`; those that are given are its first argument, `Flags`.

    The fields of `Config` are not shown by ``--help``: they are many.
    """
    chosen = [setting for setting in settings().values() if setting.group in groups]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        hints = get_type_hints(command, include_extras=True)

        def run(**values: Any) -> None:
            given = {setting.name: values.pop(setting.name) for setting in chosen}
            command({name: value for name, value in given.items() if value is not None}, **values)

        parameters = [_parameter(setting) for setting in chosen]
        parameters += [each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY) for each in own]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # which typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _parameter(setting: Setting) -> inspect.Parameter:
    hidden = setting.group is Config
    help = "" if hidden else setting.help
    if setting.name == "agent_id":
        shown: Any = typer.Argument(metavar="AGENT_ID", help=help)
    elif setting.default is None or setting.kind is bool:
        shown = typer.Option(setting.flag, hidden=hidden, help=help)
    else:
        shown = typer.Option(setting.flag, hidden=hidden, help=f"{help}  [default: {setting.default}]")
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[setting.kind | None, shown]
    )


def password(agent: AgentOptions) -> str | None:
    """Return the password that the settings give, if they give one."""
    return password_of(agent, _warn)


def password_prompt(agent: AgentOptions) -> Callable[[], str] | None:
    """Return what asks for the key's password; None without a terminal."""

    def ask() -> str:
        answer: str = typer.prompt(f"password of {agent.agent_id}", hide_input=True)
        return answer

    return ask if sys.stdin.isatty() else None


def credentials(agent: AgentOptions) -> Credentials:
    """Load the agent's credentials; on a terminal, ask for a password if the key needs one and none is given."""
    from agentcp_fsm.sign_in import Credentials

    given, ask = password(agent), password_prompt(agent)
    try:
        return Credentials.load(agent.data, agent.agent_id, password=given)
    except PasswordRequiredError:
        if ask is None:
            raise
        return Credentials.load(agent.data, agent.agent_id, password=ask())


def read_password(file: Path | None, variable: str | None) -> str | None:
    """Return the password in the file or the environment variable, if one is given; raises as `password_of` does."""
    return password_of(AgentOptions("", Path(), password_file=file, password_env=variable), _warn)


def _warn(danger: str) -> None:
    streams.complain(f"warning: {danger}")
