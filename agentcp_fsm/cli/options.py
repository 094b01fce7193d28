"""The options that several commands share, and the objects made from them."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from agentcp_fsm.cli import streams
from agentcp_fsm.errors import ConfigError, CredentialsError, PasswordRequiredError
from agentcp_fsm.support import files

if TYPE_CHECKING:
    from agentcp_fsm.sign_in import ClientOptions, Credentials

AgentId = Annotated[str, typer.Argument(metavar="AGENT_ID", help="The agent's id, such as alice.agentid.pub.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="AGENTCP_DATA",
        help="The SDK's data folder, or any folder on the way down to the agent's .key and .crt.",
    ),
]
PasswordFile = Annotated[Path | None, typer.Option(help="A file whose first line is the key's seed password.")]
PasswordEnv = Annotated[str | None, typer.Option(help="The environment variable that holds the seed password.")]
PIPE_PATIENCE = 60.0
"""Seconds that the writer of a password may take, if the file is a pipe: a person may have to unlock a store first."""


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """The options of a command that signs an agent in."""

    agent_id: AgentId
    data: Data
    server: Annotated[
        str | None, typer.Option(help="The heartbeat server's URL; by default the agent's access point names it.")
    ] = None
    access_point: Annotated[
        str | None,
        typer.Option(help="The access point, a name or a URL; by default the agent id's last two labels."),
    ] = None
    password_file: PasswordFile = None
    password_env: PasswordEnv = None
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Certificate authorities (PEM) to trust for the server's TLS, instead of the usual ones."),
    ] = None
    trust_roots: Annotated[
        Path | None,
        typer.Option(
            help="Root certificates (PEM); one must vouch for the server's own proof, which is then required."
        ),
    ] = None
    server_name: Annotated[
        str | None, typer.Option(help="The name that a root must vouch for, if not the host of the server's URL.")
    ] = None
    require_server_proof: Annotated[
        bool | None,
        typer.Option(
            "--require-server-proof/--insecure-accept-no-server-proof",
            help="Whether to refuse a server that does not prove itself; by default only with --trust-roots.",
            show_default=False,
        ),
    ] = None
    insecure_allow_http: Annotated[
        bool, typer.Option("--insecure-allow-http", help="Sign in over plain http, which anybody on the way can read.")
    ] = False
    insecure_allow_any_server_name: Annotated[
        bool,
        typer.Option(
            "--insecure-allow-any-server-name", help="Accept any certificate of the trust roots as the server's."
        ),
    ] = False
    insecure_allow_private_issuers: Annotated[
        bool,
        typer.Option(
            "--insecure-allow-private-issuers",
            help="Fetch issuers from private addresses, if the server's proof says so.",
        ),
    ] = False
    codec: Annotated[str, typer.Option(help="The datagrams' format: agentcp or protobuf.")] = "agentcp"

    def trust(self) -> ClientOptions:
        """Return the options that say whom to trust; raises `ConfigError` if the server is given twice."""
        from agentcp_fsm.sign_in import ServerProofPolicy, load_trust_roots

        if self.server is not None and self.access_point is not None:
            raise ConfigError("--server and --access-point exclude each other: give one, or neither")
        policies = {None: None, True: ServerProofPolicy.REQUIRE, False: ServerProofPolicy.VERIFY_IF_OFFERED}
        return {
            "verify": True if self.ca_file is None else self.ca_file,
            "trust_roots": None if self.trust_roots is None else load_trust_roots(self.trust_roots),
            "server_name": self.server_name,
            "server_proof": policies[self.require_server_proof],
            "allow_insecure_http": self.insecure_allow_http,
            "allow_insecure_any_server_name": self.insecure_allow_any_server_name,
            "allow_insecure_private_issuers": self.insecure_allow_private_issuers,
        }

    def password(self) -> str | None:
        """Return the password that the options give, if they give one."""
        return read_password(self.password_file, self.password_env)

    def password_prompt(self) -> Callable[[], str] | None:
        """Return what asks for the key's password; None without a terminal."""
        return self._ask_password if sys.stdin.isatty() else None

    def _ask_password(self) -> str:
        password: str = typer.prompt(f"password of {self.agent_id}", hide_input=True)
        return password

    def credentials(self) -> Credentials:
        """Load the agent's credentials; on a terminal, ask for a password if the key needs one and none is given."""
        from agentcp_fsm.sign_in import Credentials

        password, ask = self.password(), self.password_prompt()
        try:
            return Credentials.load(self.data, self.agent_id, password=password)
        except PasswordRequiredError:
            if ask is None:
                raise
            return Credentials.load(self.data, self.agent_id, password=ask())


def with_agent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `AgentOptions`, as one object that is its first argument."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    hints = get_type_hints(AgentOptions, include_extras=True)
    shared = list(inspect.signature(AgentOptions).parameters.values())

    def run(**values: Any) -> None:
        agent = AgentOptions(**{field.name: values.pop(field.name) for field in fields(AgentOptions)})
        command(agent, **values)

    parameters = [each.replace(annotation=hints[each.name]) for each in shared] + own
    in_any_order = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__signature__ = inspect.Signature(in_any_order)  # type: ignore[attr-defined] # which typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def read_password(file: Path | None, variable: str | None) -> str | None:
    """Return the password in the file or the environment variable; raises `CredentialsError` if it cannot be read."""
    if file is not None and variable is not None:
        raise ConfigError("--password-file and --password-env exclude each other: give one")
    if file is not None:
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
    if variable is not None:
        if not os.environ.get(variable):
            raise CredentialsError(f"the environment variable {variable} is not set: set it to the key's password")
        return os.environ[variable]
    return None
