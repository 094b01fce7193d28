"""The options that several commands share, and the objects made from them."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from agentcp_fsm.cli import streams
from agentcp_fsm.errors import ConfigError, CredentialsError, PasswordRequiredError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.catalogue import Setting, settings
from agentcp_fsm.operations.options import AgentOptions
from agentcp_fsm.support import files

if TYPE_CHECKING:
    from agentcp_fsm.sign_in import ClientOptions, Credentials

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
PIPE_PATIENCE = 60.0
"""Seconds that the writer of a password may take, if the file is a pipe: a person may have to unlock a store first."""

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


def trust(agent: AgentOptions) -> ClientOptions:
    """Return the options that say whom to trust; raises `ConfigError` for those that exclude each other."""
    from agentcp_fsm.sign_in import ServerProofPolicy, load_trust_roots

    if agent.server is not None and agent.access_point is not None:
        raise ConfigError("--server and --access-point exclude each other: give one, or neither")
    if agent.require_server_proof and agent.insecure_accept_no_server_proof:
        raise ConfigError(
            "--require-server-proof and --insecure-accept-no-server-proof exclude each other: give one, or neither"
        )
    policy = ServerProofPolicy.REQUIRE if agent.require_server_proof else None
    if agent.insecure_accept_no_server_proof:
        policy = ServerProofPolicy.VERIFY_IF_OFFERED
    return {
        "verify": True if agent.ca_file is None else agent.ca_file,
        "trust_roots": None if agent.trust_roots is None else load_trust_roots(agent.trust_roots),
        "server_name": agent.server_name,
        "server_proof": policy,
        "allow_insecure_http": agent.insecure_allow_http,
        "allow_insecure_any_server_name": agent.insecure_allow_any_server_name,
        "allow_insecure_private_issuers": agent.insecure_allow_private_issuers,
    }


def password(agent: AgentOptions) -> str | None:
    """Return the password that the settings give, if they give one."""
    return read_password(agent.password_file, agent.password_env, agent.password_credential)


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


def read_password(file: Path | None, variable: str | None, credential: str | None = None) -> str | None:
    """Return the password in the file, the environment variable or the systemd credential, if one is given.

    Raises `CredentialsError` if it cannot be read, `ConfigError` if there are several.
    """
    given = {"--password-file": file, "--password-env": variable, "--password-credential": credential}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ConfigError(f"{' and '.join(names)} exclude each other: give one")
    if variable is not None:
        if not os.environ.get(variable):
            raise CredentialsError(f"the environment variable {variable} is not set: set it to the key's password")
        return os.environ[variable]
    if credential is not None:
        file = _credential(credential)
    if file is None:
        return None
    try:
        lines = files.read_small(file, patience=PIPE_PATIENCE).decode().splitlines()
    except UnicodeDecodeError:
        raise CredentialsError(f"{file} is not UTF-8: its first line is to be the password") from None
    except OSError as error:
        raise CredentialsError(
            f"the password file {file} cannot be read ({error.strerror}): its first line is to be the password"
        ) from None
    for danger in (*files.readable_by_others(file, "the password in"), *files.changeable_by_others(file)):
        streams.complain(f"warning: {danger}")
    if not lines or not lines[0]:
        raise CredentialsError(f"{file} is empty: its first line is to be the password")
    return lines[0]


def _credential(name: str) -> Path:
    """The file of a systemd credential."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise CredentialsError(
            f"there is no systemd credential {name}, because CREDENTIALS_DIRECTORY is not set: give the unit a"
            f" LoadCredential={name}:FILE"
        )
    if "/" in name or name in (".", ".."):
        raise ConfigError(f"password_credential={name!r}: give the name of a credential, which has no slash")
    return Path(folder, name)
