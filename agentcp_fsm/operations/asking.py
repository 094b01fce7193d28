"""Asks a status place, from another process."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import TypeAlias

from agentcp_fsm.errors import StatusError, UnreachableError
from agentcp_fsm.operations.address import StatusAddress

SIZE_MAX = 64 * 1024**2
"""Bytes that an answer has at most: thousands of agents take a few megabytes."""

AgentStatus: TypeAlias = "dict[str, object]"
"""How one agent is: `Health.to_dict`."""


class _Connection(HTTPConnection):
    """An HTTP connection to an address, also of a Unix socket."""

    def __init__(self, address: StatusAddress, timeout: float) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host or "localhost"
        super().__init__(host, address.port or None, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        if not self._address.path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._address.path)


def ask(address: str, page: str, timeout: float = 10.0) -> tuple[int, bytes]:
    """Return the HTTP status and the body of a page such as ``/readyz``.

    Raises ConfigError for no address, `UnreachableError` if nobody answers in time, `StatusError` for no HTTP.
    """
    connection = _Connection(StatusAddress.parse(address), timeout)
    try:
        connection.request("GET", page)
        response = connection.getresponse()
        body = response.read(SIZE_MAX + 1)
    except HTTPException as error:
        raise StatusError(f"at {address} there is something else than a status place: {error!r}") from error
    except OSError as error:
        raise UnreachableError(f"no status place answers at {address}: {error.strerror or error}") from error
    finally:
        connection.close()
    if len(body) > SIZE_MAX:
        raise StatusError(f"the answer of {address} is longer than {SIZE_MAX} bytes")
    return response.status, body


def read_status(address: str, timeout: float = 10.0) -> list[AgentStatus]:
    """Return how the agents of a status place are; raises as `ask` does."""
    status, body = ask(address, "/status", timeout)
    try:
        content = json.loads(body) if status == 200 else None
    except ValueError:
        content = None
    match content:
        case {"version": 1, "agents": list(agents)} if all(isinstance(agent, dict) for agent in agents):
            return agents
        case {"version": version}:
            raise StatusError(f"{address} answers in another form (version {version!r}): use the same version there")
    raise StatusError(f"at {address} there is something else than a status place (HTTP status {status})")
