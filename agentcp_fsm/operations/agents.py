"""What an agent's settings come to: whom it trusts, and the password of its key."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentcp_fsm.errors import ConfigError, CredentialsError
from agentcp_fsm.operations.options import AgentOptions
from agentcp_fsm.support import files

if TYPE_CHECKING:
    from agentcp_fsm.sign_in import ClientOptions

PIPE_PATIENCE = 60.0
"""Seconds that the writer of a password may take, if the file is a pipe: a person may have to unlock a store first."""
COMMAND_PATIENCE = 60.0
"""Seconds that a command may take for a password."""
PASSWORDS = ("password_file", "password_env", "password_credential", "password_command")
"""The settings that say where the password is."""


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


def password_of(agent: AgentOptions, warn: Callable[[str], None]) -> str | None:
    """Return the password that the settings give, if they give one; `warn` is called with what endangers it.

    Raises `CredentialsError` if it cannot be read, `ConfigError` if several are given.
    """
    names = [f"--{name.replace('_', '-')}" for name in PASSWORDS if getattr(agent, name) is not None]
    if len(names) > 1:
        raise ConfigError(f"{' and '.join(names)} exclude each other: give one")
    if (variable := agent.password_env) is not None:
        if not os.environ.get(variable):
            raise CredentialsError(f"the environment variable {variable} is not set: set it to the key's password")
        return os.environ[variable]
    if agent.password_command is not None:
        return _of_command(agent.password_command, agent.agent_id)
    file = agent.password_file if agent.password_credential is None else _credential(agent.password_credential)
    return None if file is None else first_line(file, "password", warn)


def first_line(file: Path, what: str, warn: Callable[[str], None]) -> str:
    """Return the first line of a file, a secret; raises `CredentialsError` for what has none."""
    try:
        lines = files.read_small(file, patience=PIPE_PATIENCE).decode().splitlines()
    except UnicodeDecodeError:
        raise CredentialsError(f"{file} is not UTF-8: its first line is to be the {what}") from None
    except OSError as error:
        raise CredentialsError(
            f"the {what} file {file} cannot be read ({error.strerror}): its first line is to be the {what}"
        ) from None
    for danger in (*files.readable_by_others(file, f"the {what} in"), *files.changeable_by_others(file)):
        warn(danger)
    if not lines or not lines[0]:
        raise CredentialsError(f"{file} is empty: its first line is to be the {what}")
    return lines[0]


def _of_command(command: str, agent_id: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the operator's own command
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=COMMAND_PATIENCE,
            check=False,
            env=os.environ | {"AGENT_ID": agent_id},
        )
    except (ValueError, IndexError):
        raise ConfigError(
            f"password_command={command!r} is no command: give its words, quoted as for a shell"
        ) from None
    except OSError as error:
        raise CredentialsError(f"password_command={command!r} cannot be run: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise CredentialsError(
            f"password_command={command!r} gave no password within {COMMAND_PATIENCE:g} s: see what it waits for"
        ) from None
    if done.returncode:
        raise CredentialsError(f"password_command={command!r} failed with status {done.returncode}: run it yourself")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0]:
        raise CredentialsError(f"password_command={command!r} wrote nothing: its first line is to be the password")
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
