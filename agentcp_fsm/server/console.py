"""The server's console: one line of text is one command.  What it can do is listed by ``help``."""

from __future__ import annotations

import dataclasses
import shlex
import uuid
from dataclasses import fields
from typing import Any

from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.server.faults import Faults, SignInFault
from agentcp_fsm.server.server import HeartbeatServer
from agentcp_fsm.session import Invitation
from agentcp_fsm.wire import NextBeatEncoding

COMMANDS = {
    "help": "list the commands",
    "status": "show the faults, the agents and what was counted",
    "fault NAME VALUE …": "switch faults: " + ", ".join(field.name for field in fields(Faults)),
    "ok": "switch all faults off",
    "restart": "forget every session; heartbeats are answered 401",
    "move": "take heartbeats on another port",
    "invite AGENT_ID [FROM]": "send an invitation and wait for its answer",
}


async def run_command(server: HeartbeatServer, line: str) -> str:
    """Carry out one command and return what to show; raises AgentCPError that names what exists."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"{line!r} cannot be read: {error}") from None
    match words:
        case [] | ["help"]:
            return "\n".join(f"{command:<24} {what}" for command, what in COMMANDS.items())
        case ["status"]:
            return _status(server)
        case ["ok"]:
            server.faults = Faults()
            return "no faults"
        case ["fault", *settings] if settings and len(settings) % 2 == 0:
            server.set_faults(**dict(_setting(*pair) for pair in zip(settings[::2], settings[1::2], strict=True)))
            return _faults(server)
        case ["restart"]:
            server.restart()
            return "every session is forgotten"
        case ["move"]:
            server.move()
            return f"heartbeats go to port {server.udp_port}"
        case ["invite", agent_id, *inviter] if len(inviter) <= 1:
            invitation = Invitation((inviter or ["console.local"])[0], uuid.uuid4().hex, 0, uuid.uuid4().hex, "")
            try:
                await server.invite(agent_id, invitation)
            except TimeoutError:
                return f"{agent_id} did not answer"
            return f"{agent_id} answered"
        case _:
            raise ConfigError(f"{line!r} is no command; there are {', '.join(COMMANDS)}")


def _setting(name: str, value: str) -> tuple[str, Any]:
    types: dict[str, Any] = {
        "drop": float, "silent": _boolean, "delay": float, "copies": int, "unauthorized": _boolean,
        "stranger": _boolean, "next_beat": lambda text: None if text == "none" else int(text), "encoding": _encoding,
        "sign_in": _sign_in, "status": int, "retry_after": str, "field": str,
    }  # fmt: skip
    if name not in types:
        raise ConfigError(f"{name!r} is no fault; there are {', '.join(types)}")
    try:
        return name, types[name](value)
    except AgentCPError:
        raise
    except ValueError:
        raise ConfigError(f"{name} cannot be {value!r}: give a number") from None


def _boolean(text: str) -> bool:
    if text not in ("on", "off"):
        raise ConfigError(f"{text!r} is neither 'on' nor 'off'")
    return text == "on"


def _encoding(text: str) -> NextBeatEncoding:
    names = {encoding.name.lower(): encoding for encoding in NextBeatEncoding}
    if text not in names:
        raise ConfigError(f"{text!r} is no encoding of NextBeat; there are {', '.join(names)}")
    return names[text]


def _sign_in(text: str) -> SignInFault:
    if text not in list(SignInFault):
        raise ConfigError(f"{text!r} is no way for a sign-in to fail; there are {', '.join(SignInFault)}")
    return SignInFault(text)


def _faults(server: HeartbeatServer) -> str:
    changed = [
        f"{field.name}={getattr(server.faults, field.name)}"
        for field in fields(Faults)
        if getattr(server.faults, field.name) != field.default
    ]
    return "faults: " + (", ".join(changed) or "none")


def _status(server: HeartbeatServer) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in dataclasses.asdict(server.statistics).items() if count)
    agents = [f"  {known.agent_id}  heartbeats {known.heartbeats}" for known in server.registry.sessions]
    return "\n".join([_faults(server), f"counted: {counted or 'nothing'}", f"agents: {len(agents)}", *agents])
