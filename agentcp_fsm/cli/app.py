"""The commands and their options.  What a command needs is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from agentcp_fsm.errors import AgentCPError, CredentialsError

Command = TypeVar("Command", bound=Callable[..., Any])

app = typer.Typer(
    name="agentcp-fsm",
    help="Keep an AgentCP agent reachable: its heartbeat connection as one explicit state machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
identity = typer.Typer(help="Throwaway identities, for use with a local server.", no_args_is_help=True)
app.add_typer(identity, name="identity")


class LogLevel(StrEnum):
    """How much the library logs to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Data = Annotated[
    Path, typer.Option("--data", envvar="AGENTCP_DATA", help="The folder that holds <agent id>/private/certs.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="A file whose first line is the key's password; else it is asked for if needed.")
]
PasswordEnv = Annotated[str | None, typer.Option(help="The environment variable that holds the key's password.")]
Logging = Annotated[LogLevel, typer.Option("--log-level", help="What to log to standard error.")]


def expected_errors(command: Command) -> Command:
    """Say an expected error in one line, with exit status 2, and no traceback."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (AgentCPError, OSError) as error:
            typer.echo(f"agentcp-fsm: {error}", err=True)
            raise typer.Exit(2) from None

    return run  # type: ignore[return-value]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("agentcp-fsm"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep an AgentCP agent reachable: its heartbeat connection as one explicit state machine."""


@app.command()
@expected_errors
def chart(
    state: Annotated[list[str] | None, typer.Option(help="Only rows that hold in this state (repeatable).")] = None,
    trigger: Annotated[list[str] | None, typer.Option(help="Only rows of this trigger (repeatable).")] = None,
    ignored: Annotated[bool, typer.Option(help="Show the events that are ignored on purpose, too.")] = True,
    json: Json = False,
) -> None:
    """Print the connection's chart: every state, every event, and what happens."""
    from agentcp_fsm.cli.chart import show_chart

    show_chart(state or [], trigger or [], ignored, json)


@app.command()
@expected_errors
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="In seconds instead of a minute.")] = False,
    json: Json = False,
    log_level: Logging = LogLevel.ERROR,
) -> None:
    """See it recover: a server and an agent, and everything that goes wrong between them."""
    from agentcp_fsm.cli.demo import run_demo

    _log(log_level)
    raise typer.Exit(run_demo(fast, json))


@app.command()
@expected_errors
def connect(
    agent_id: Annotated[str, typer.Argument(help="The agent's id, such as alice.agentid.pub.")],
    server: Annotated[str, typer.Option(help="The heartbeat server's URL.")],
    data: Data,
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate authorities (PEM) to trust instead of the usual.")
    ] = None,
    require_server_proof: Annotated[bool, typer.Option(help="Refuse a server that does not prove itself.")] = False,
    insecure_allow_http: Annotated[
        bool, typer.Option("--insecure-allow-http", help="Sign in over plain http, for all on the way to read.")
    ] = False,
    codec: Annotated[str, typer.Option(help="The datagrams' format: agentcp or protobuf.")] = "agentcp",
    json: Json = False,
    log_level: Logging = LogLevel.ERROR,
) -> None:
    """Keep a real agent reachable until Ctrl-C, and show what happens."""
    from agentcp_fsm.auth import AuthClient, ServerProofPolicy
    from agentcp_fsm.cli.connect import run_connection

    _log(log_level)
    credentials = _credentials(data, agent_id, password_file, password_env)
    client = AuthClient(
        server,
        verify=True if ca_file is None else ca_file,
        allow_insecure_http=insecure_allow_http,
        server_proof=ServerProofPolicy.REQUIRE if require_server_proof else ServerProofPolicy.VERIFY_IF_OFFERED,
    )
    raise typer.Exit(run_connection(credentials, client, codec, json))


@app.command()
@expected_errors
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="The port of sign-ins; 0 takes a free one.")] = 8765,
    udp_port: Annotated[int, typer.Option(help="The port of heartbeats; 0 takes a free one.")] = 8766,
    next_beat: Annotated[float, typer.Option(help="Seconds between heartbeats.")] = 5.0,
    json: Json = False,
    log_level: Logging = LogLevel.WARNING,
) -> None:
    """Run a local heartbeat server; faults are switched on its console."""
    from agentcp_fsm.cli.serve import run_server

    _log(log_level)
    raise typer.Exit(run_server(host, http_port, udp_port, next_beat, json))


@identity.command("new")
@expected_errors
def new_identity(
    agent_id: Annotated[str, typer.Argument(help="The agent's id, such as alice.agentid.pub.")],
    data: Data,
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
) -> None:
    """Make a key and a self-signed certificate as the SDK keeps them; only a local server believes them."""
    from agentcp_fsm.auth.identity import make_identity

    make_identity(data, agent_id, _password(password_file, password_env))
    typer.echo(f"made {data / agent_id / 'private' / 'certs'}")


def _log(level: LogLevel) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), format=form, stream=sys.stderr)


def _password(file: Path | None, variable: str | None) -> str | None:
    if file is not None:
        lines = file.read_text().splitlines()
        if not lines:
            raise CredentialsError(f"{file} is empty: its first line is to be the password")
        return lines[0]
    if variable is not None:
        if variable not in os.environ:
            raise CredentialsError(f"the environment variable {variable} is not set: set it to the key's password")
        return os.environ[variable]
    return None


def _credentials(data: Path, agent_id: str, file: Path | None, variable: str | None) -> Any:
    from agentcp_fsm.auth import Credentials

    password = _password(file, variable)
    try:
        return Credentials.load(data, agent_id, password=password)
    except CredentialsError as error:
        if password is not None or "password" not in str(error) or not sys.stdin.isatty():
            raise
        return Credentials.load(data, agent_id, password=typer.prompt(f"password of {agent_id}", hide_input=True))
