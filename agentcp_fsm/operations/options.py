"""The settings of an agent and of the command that runs agents, beside those of `Config`.

Each is a field here, once: its name, type, default and help.  The command's options, the keys of the configuration
file, the environment variables, the JSON schema and the reference page are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from agentcp_fsm.operations.logs import LogFormat


class LogLevel(StrEnum):
    """How much the library logs to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def says(help: str, low: float | None = None, high: float | None = None) -> dict[str, object]:
    """A field's metadata: what it does; `low` and `high` bound a number."""
    return {"help": help, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """Which agent, with which key, at which server, and whom it trusts."""

    agent_id: str = field(metadata=says("The agent's id, such as alice.agentid.pub."))
    data: Path = field(
        metadata=says("The SDK's data folder, or any folder on the way down to the agent's .key and .crt.")
    )
    server: str | None = field(
        default=None, metadata=says("The heartbeat server's URL; by default the agent's access point names it.")
    )
    access_point: str | None = field(
        default=None, metadata=says("The access point, a name or a URL; by default the agent id's last two labels.")
    )
    password_file: Path | None = field(
        default=None, metadata=says("A file whose first line is the key's seed password.")
    )
    password_env: str | None = field(
        default=None, metadata=says("The environment variable that holds the seed password.")
    )
    password_credential: str | None = field(
        default=None, metadata=says("The systemd credential (LoadCredential=) whose first line is the seed password.")
    )
    password_command: str | None = field(
        default=None,
        metadata=says(
            "A command whose first line of output is the seed password; AGENT_ID in its environment names the agent."
        ),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=says("Certificate authorities (PEM) to trust for the server's TLS, instead of the usual ones."),
    )
    trust_roots: Path | None = field(
        default=None,
        metadata=says("Root certificates (PEM); one must vouch for the server's own proof, which is then required."),
    )
    server_name: str | None = field(
        default=None, metadata=says("The name that a root must vouch for, if not the host of the server's URL.")
    )
    require_server_proof: bool = field(
        default=False, metadata=says("Refuse a server that does not prove itself, also without --trust-roots.")
    )
    insecure_accept_no_server_proof: bool = field(
        default=False, metadata=says("Accept a server that does not prove itself, also with --trust-roots.")
    )
    insecure_allow_http: bool = field(
        default=False, metadata=says("Sign in over plain http, which anybody on the way can read.")
    )
    insecure_allow_any_server_name: bool = field(
        default=False, metadata=says("Accept any certificate of the trust roots as the server's.")
    )
    insecure_allow_private_issuers: bool = field(
        default=False, metadata=says("Fetch issuers from private addresses, if the server's proof says so.")
    )
    codec: str = field(default="agentcp", metadata=says("The datagrams' format: agentcp or protobuf."))


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """What is done with an agent's invitations: any of a function, a command and a webhook."""

    handler: str | None = field(
        default=None,
        metadata=says(
            "A function, as module:name, to call with the agent's id and each invitation; it may be a coroutine's."
        ),
    )
    on_invite: str | None = field(
        default=None,
        metadata=says("A command to run for each invitation, which it reads as JSON from its standard input."),
    )
    on_invite_timeout: float = field(
        default=60.0, metadata=says("Seconds after which such a command is ended.", low=0.1, high=86400.0)
    )
    webhook: str | None = field(
        default=None, metadata=says("A URL to which each invitation is posted as JSON; https, or on this machine.")
    )
    webhook_secret_file: Path | None = field(
        default=None, metadata=says("A file whose first line is the secret that signs what is posted.")
    )
    webhook_timeout: float = field(
        default=10.0, metadata=says("Seconds that the webhook may take to answer.", low=0.1, high=600.0)
    )
    webhook_tries: int = field(
        default=5,
        metadata=says("How often an invitation is posted at most, until an answer says it was taken.", low=1, high=20),
    )


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How a command runs agents."""

    json: bool = field(default=False, metadata=says("One JSON object a line."))
    log_level: LogLevel | None = field(
        default=None, metadata=says("What to log to standard error; by default the errors that are not shown anyway.")
    )
    log_format: LogFormat = field(
        default=LogFormat.TEXT, metadata=says("How the log is written: as text, or as one JSON object a line.")
    )
    status: str | None = field(
        default=None, metadata=says("Serve the status there: 127.0.0.1:8764, [::1]:8764, or a Unix socket's path.")
    )
    insecure_allow_any_status_address: bool = field(
        default=False, metadata=says("Serve the status to other machines, too: anybody can read it.")
    )
    metrics: bool = field(default=False, metadata=says("Serve metrics for Prometheus at /metrics of the status."))
    metrics_by_agent: bool = field(
        default=False, metadata=says("The same, with the agent's id as a label of each metric.")
    )
    traces: Path | None = field(
        default=None, metadata=says("A folder for a trace around each loss; the signal USR1 writes one at any time.")
    )
    on_invite_limit: int = field(
        default=4,
        metadata=says(
            "How many runs of a command, and how many calls of a webhook, are under way at once; further ones wait.",
            low=1,
            high=1000,
        ),
    )
    exit_on_failure: bool = field(
        default=False,
        metadata=says(
            "End with status 3 when an agent gives up, which it does after --sign-in-attempt-limit attempts."
        ),
    )


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How the command `fleet run` runs its agents, beside `ConnectOptions`."""

    identities: Path | None = field(
        default=None,
        metadata=says("A folder of identities: each agent whose key is in it runs, with the settings of [agent]."),
    )
    starts_at_once: int = field(
        default=64,
        metadata=says(
            "How many agents come online at once at most; the server's answers decide how many do.", low=1, high=10_000
        ),
    )
    stop_timeout: float = field(
        default=30.0,
        metadata=says(
            "Seconds within which the agents sign out; those that are left then are no longer waited for.",
            low=0.1,
            high=3600.0,
        ),
    )
    processes: int = field(default=1, metadata=says("How many processes share the agents.", low=1, high=256))
