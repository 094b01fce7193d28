"""The findings of an examination's steps, and their words."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agentcp_fsm.support.lookups import addresses_of


class Outcome(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    """It went well, but something should be mended."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It was not tried, because an earlier one failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step found."""

    step: str
    outcome: Outcome
    says: str
    """For people; of a failure it may hold the remedy, too."""
    remedy: str = ""
    """What to do about it; empty if there is nothing to do, or if `says` holds it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs: text, numbers (durations in seconds), booleans and lists of them."""


class NotTried(Exception):  # noqa: N818 - no error: how a step says that it cannot be tried
    """The step cannot be tried; the text says why."""


class Failed(Exception):  # noqa: N818 - no error of the program's: what a step found
    """The step failed; the text says how, and `remedy` what to do."""

    def __init__(self, says: str, remedy: str, **facts: Any) -> None:
        super().__init__(says)
        self.remedy = remedy
        self.facts = facts


def look_up(host: str, port: int, kind: socket.SocketKind) -> list[str]:
    """Return the addresses of a host, in order; raises `Failed`."""
    try:
        return list(addresses_of(socket.getaddrinfo(host, port, 0, kind)))
    except (OSError, UnicodeError) as error:
        reason = words(error) if isinstance(error, OSError) else "it is no host's name"
        raise Failed(
            f"{host} cannot be resolved: {reason}",
            "check the name, and this machine's name servers (resolvectl status, /etc/resolv.conf)",
        ) from error


def words(error: OSError) -> str:
    """Say in words what went wrong with a socket."""
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)


def milliseconds(seconds: float) -> str:
    """Write a duration for people."""
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
