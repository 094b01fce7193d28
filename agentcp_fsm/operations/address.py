"""Where a status place is: an IP address and a port, or the path of a Unix socket."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from agentcp_fsm.errors import ConfigError

DEFAULT = "127.0.0.1:8764"
"""The address that the commands take if none is given."""
PREFIX = "unix:"
FORMS = "127.0.0.1:8764, [::1]:8764, or the path of a Unix socket with a slash in it"


@dataclass(frozen=True, slots=True)
class StatusAddress:
    """An address of a status place; `path` is empty for an IP address, `host` for a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> StatusAddress:
        """Read an address as it is written; raises `ConfigError` for anything else."""
        if text.startswith(PREFIX) or "/" in text:
            path = text.removeprefix(PREFIX)
            if not path or "\0" in path:
                raise ConfigError(f"the status address {text!r} names no socket: give {FORMS}")
            return cls(path=path)
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            colon = ""
        try:
            number = ip_address(host)
        except ValueError:
            colon = ""
        if not (colon and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ConfigError(f"the status address {text!r} is no address with a port: give {FORMS}")
        return cls(host=str(number), port=int(port))

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can reach it."""
        return bool(self.path) or ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.path:
            return f"{PREFIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
