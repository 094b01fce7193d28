"""The commands and their options.  Each imports what it needs when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from agentcp_fsm.cli import charts, config, seen, simulate, streams
from agentcp_fsm.cli.language import Language, command_in_language
from agentcp_fsm.cli.options import (
    AgentId,
    ConfigFile,
    Data,
    Flags,
    Json,
    PasswordEnv,
    PasswordFile,
    password,
    password_prompt,
    read_password,
    with_settings,
)
from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.agents import trust
from agentcp_fsm.operations.logs import Folding, LogFormat, formatter
from agentcp_fsm.operations.options import AgentOptions, ConnectOptions, FleetOptions, HandlerOptions, LogLevel
from agentcp_fsm.wire import NextBeatEncoding

WRONG = 2
"""The exit status of a command whose arguments cannot work."""
NARROW = 52
"""The columns up to which help is fitted to the terminal; typer's own is never less than 50 wide."""
INTERRUPTED = 130
"""The exit status after Ctrl-C."""

app = typer.Typer(
    name="agentcp-fsm",
    help="Keep an AgentCP agent reachable: its heartbeat connection as one explicit state machine.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
identity = typer.Typer(help="Throwaway identities, for use with a local server.")
app.add_typer(identity, name="identity")
app.add_typer(config.app, name="config")
fleet = typer.Typer(help="Many agents in one command.")
app.add_typer(fleet, name="fleet")
app.add_typer(charts.app)
app.add_typer(seen.app)
app.add_typer(simulate.app)


Logging = Annotated[LogLevel, typer.Option("--log-level", help="What to log to standard error.")]


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; an expected error is one line, without a traceback.

    A reader of the output who has seen enough is no error; output that cannot be written is one.
    """
    streams.show_what_cannot_be_encoded()
    own = sys.stdout, sys.stderr
    status = _run(arguments)
    sys.stdout, sys.stderr = own
    unwritten = streams.flush()
    if unwritten is not None and not isinstance(unwritten, BrokenPipeError) and status < WRONG:
        streams.complain(f"the output cannot be written: {unwritten.strerror}")
        status = WRONG
    streams.flush()  # what was complained of
    return status


def _help_width() -> int | None:
    """The columns of a terminal that is narrower than the help is by itself; else None."""
    columns = shutil.get_terminal_size().columns
    return columns if columns <= NARROW else None


def _run(arguments: Sequence[str]) -> int:
    try:
        status = command_in_language(app, arguments)(
            list(arguments) or ["--help"],
            prog_name="agentcp-fsm",
            standalone_mode=False,
            terminal_width=_help_width(),
        )
    except BrokenPipeError:
        return 0
    except SystemExit as end:  # typer makes one of a broken pipe, and puts streams of its own in the others' place
        if isinstance(end.__context__, BrokenPipeError):
            return 0
        raise
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = "agentcp-fsm" if context is None else context.command_path
        streams.complain(f"{error.format_message()} (see {command} --help)")
        return WRONG
    except AgentCPError as error:
        streams.complain(str(error))
        return WRONG
    except OSError as error:
        full = error.errno in streams.FULL and error.filename is None
        gone = isinstance(error, FileNotFoundError) and error.filename is None
        says = "the present folder is gone: change to one that is there" if gone else str(error)
        streams.complain(f"the output cannot be written: {error.strerror}" if full else says)
        return WRONG
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return status or 0


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"agentcp-fsm {version('agentcp-fsm')}")
        except PackageNotFoundError:
            typer.echo("agentcp-fsm, run from its sources")
        raise typer.Exit


def _within(minimum: float, maximum: float) -> Callable[[float], float]:
    """Return a check of an option's number, which names the number when it is out of range."""

    def checked(value: float) -> float:
        if not minimum <= value <= maximum:
            raise typer.BadParameter(f"{value} is not from {minimum} to {maximum}")
        return value

    return checked


@app.callback(help="Keep an AgentCP agent reachable: its heartbeat connection as one explicit state machine.")
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    lang: Annotated[
        Language | None, typer.Option("--lang", help="The language of what is shown; by default the locale's.")
    ] = None,
) -> None:
    """Nothing but the option, which has been carried out."""


@app.command(
    help="""Watch an agent recover from one fault after the other, in about a minute.

    The agent and its server run in this process.  The exit status is 0 only if every recovery really happened.
    """,
)
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="In less than 10 seconds.")] = False,
    json: Json = False,
    log_level: Logging = LogLevel.ERROR,
) -> None:
    from agentcp_fsm.cli.demo import run_demo

    _log(log_level)
    raise typer.Exit(run_demo(fast, json))


@app.command(
    help="""Keep agents reachable until Ctrl-C, and show what happens.

    The first Ctrl-C signs out, the second leaves at once.  On a terminal, it asks for a password if the key needs one
    and none is given.  A configuration file may name several agents; AGENT_ID chooses one of them.  Thresholds and
    timings are options, too (--interval-max 20): `agentcp-fsm config explain` lists them.
    """,
)
@with_settings(AgentOptions, HandlerOptions, ConnectOptions, Config)
def connect(flags: Flags, config: ConfigFile = None) -> None:
    from agentcp_fsm.cli.connect import log_what_is_not_shown, run
    from agentcp_fsm.operations.settings import load

    settings = load(config, flags)
    _log(settings.command.log_level or LogLevel.ERROR, settings.command.log_format)
    if settings.command.log_level is None:
        log_what_is_not_shown()
    raise typer.Exit(run(settings))


@fleet.command(
    "run",
    help="""Keep the agents of a file reachable until Ctrl-C, and show how many are.

    The file is that of `agentcp-fsm connect`, with any number of [[agents]], or a folder of identities.  An agent that
    cannot run is named with its line, and keeps no other from running.  On SIGHUP the file is read again: only agents
    that changed are touched.  The first Ctrl-C signs out, the second leaves at once.
    """,
)
@with_settings(ConnectOptions, FleetOptions)
def run_fleet(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration file (TOML).", dir_okay=False)],
) -> None:
    from agentcp_fsm.cli.fleet import run

    raise typer.Exit(run(file, flags, _log))


@app.command(
    help="""Check step by step what an agent needs to be reachable, and suggest remedies.

    The steps are files, key, certificate, the way to the server, sign-in, heartbeats and the clock.  Signing in ends
    the agent's session, if it is connected elsewhere.  So the doctor looks for a running agent at its status place
    first, and leaves that alone.  If there is none, it asks on a terminal; without a terminal, it signs in only with
    --sign-in.  On a terminal, it asks for a password if the key needs one and none is given.  The exit status is 0 only
    if all is well, and 1 if a step failed, was skipped or has a warning.
    """,
)
@with_settings(AgentOptions)
def doctor(
    flags: Flags,
    config: ConfigFile = None,
    sign_in: Annotated[
        bool | None,
        typer.Option("--sign-in/--no-sign-in", help="Sign in, whatever session that ends; or do not, and do not ask."),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The status place of the running agent; by default that of the configuration, or 127.0.0.1:8764.",
        ),
    ] = None,
    json: Json = False,
    log_level: Logging = LogLevel.ERROR,
) -> None:
    from agentcp_fsm.cli.doctor import ask_to_sign_in, run_doctor, running_agent
    from agentcp_fsm.doctor import Examination, server_at, server_named_by
    from agentcp_fsm.operations.address import DEFAULT, StatusAddress
    from agentcp_fsm.operations.settings import load_one

    _log(log_level)
    loaded = load_one(config, flags)
    place = str(StatusAddress.parse(status or loaded.command.status or DEFAULT))
    agent = loaded.agents[0].options
    trusted = trust(agent)
    examination = Examination(
        agent.agent_id,
        agent.data,
        server_at(agent.server) if agent.server else server_named_by(agent.agent_id, agent.access_point, trusted),
        password=password(agent),
        ask_password=password_prompt(agent),
        codec=agent.codec,
        options=trusted,
        find_running=lambda: None if sign_in else running_agent(agent.agent_id, place),
        may_sign_in=lambda: ask_to_sign_in(agent.agent_id) if sign_in is None else sign_in,
    )
    raise typer.Exit(run_doctor(examination, json))


@app.command(
    help="""Run a server to try agents on, with its own access point and faults to switch on.

    It takes console commands on standard input; "help" lists them.  It trusts any certificate that names the agent,
    so it is no server for production.
    """,
)
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(callback=_within(0, 65535), help="The port of sign-ins; 0 takes a free one.")
    ] = 8765,
    udp_port: Annotated[
        int, typer.Option(callback=_within(0, 65535), help="The port of heartbeats; 0 takes a free one.")
    ] = 8766,
    next_beat: Annotated[
        float, typer.Option(callback=_within(0.001, 3600), help="Seconds between heartbeats, 0.001 to 3600.")
    ] = 5.0,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name by which agents reach it, besides its address and localhost (repeatable)."),
    ] = None,
    encoding: Annotated[NextBeatEncoding, typer.Option(help="How NextBeat is written.")] = NextBeatEncoding.U64,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="End when standard input ends, as on a terminal.")
    ] = False,
    json: Json = False,
    log_level: Logging = LogLevel.WARNING,
) -> None:
    from agentcp_fsm.cli.serve import run_server
    from agentcp_fsm.server import HeartbeatServer
    from agentcp_fsm.wire import AgentCPCodec

    _log(log_level)
    server = HeartbeatServer(
        host, http_port, udp_port, next_beat=next_beat, names=name or (), codec=AgentCPCodec(encoding)
    )
    raise typer.Exit(run_server(server, until_input_ends, json))


@identity.command(
    "new",
    help="""Make a key and a self-signed certificate as the SDK keeps them; only a local server trusts them.

    They go where AgentCP(DATA) looks for them, DATA/agentcp/AIDs.  The key is encrypted as the SDK does it, with the
    seed password, which is empty unless one is given.  Nothing is overwritten.
    """,
)
def new_identity(
    agent_id: AgentId,
    data: Data,
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
    insecure_unencrypted: Annotated[
        bool, typer.Option("--insecure-unencrypted", help="Do not encrypt the key; the SDK does not load such a key.")
    ] = False,
) -> None:
    from agentcp_fsm.sign_in.credentials import seed_hash
    from agentcp_fsm.sign_in.identities import identities_folder, make_identity

    _log(LogLevel.WARNING)
    password = read_password(password_file, password_env)
    if insecure_unencrypted and password is not None:
        raise ConfigError("--insecure-unencrypted and a password exclude each other: give one, or neither")
    folder = identities_folder(data)
    make_identity(folder, agent_id, None if insecure_unencrypted else seed_hash(password))
    typer.echo(f"made {folder / agent_id / 'private' / 'certs'}")


def _log(level: LogLevel, form: LogFormat = LogFormat.TEXT) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    handler.addFilter(Folding())
    logging.basicConfig(level=level.upper(), handlers=[handler])
