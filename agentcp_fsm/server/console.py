"""The server's console: one line of text is one command; ``help`` lists them.

`run_command` carries out one command; `attend` takes them from a file until the server is to stop.
"""

import asyncio
import json
import shlex
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, fields
from enum import Enum
from typing import Any

from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.server.faults import FIELDS, KINDS, Faults, OldPort, possible
from agentcp_fsm.server.server import HeartbeatServer
from agentcp_fsm.support import ending
from agentcp_fsm.support.quoting import quoted
from agentcp_fsm.wire import NextBeatEncoding

AGENTS_SHOWN = 20
"""Agents that a list on the console names; a server may have thousands."""

COMMANDS = {
    "help": "list the commands",
    "faults": "list the faults, with what each is now and can be",
    "status": "show the faults, what was counted, and the agents",
    "statistics": "show everything that was counted, as one JSON object",
    "agent AGENT_ID": "show all that is known of an agent, as one JSON object",
    "fault NAME VALUE …": "switch faults, the others staying as they are",
    "ok": "switch all faults off",
    "restart": "forget every session; heartbeats are answered 401",
    "move [PORT] [dead|401]": "take heartbeats on another port; the old one is dead, or answers 401",
    "invite AGENT_ID [FROM]": "send an invitation and wait for its answer",
}


def _on_or_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError(text)
    return text == "on"


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == "none" else parse(text)


def _values(members: Iterable[Enum]) -> str:
    return ", ".join(str(member.value) for member in members)


Setting = tuple[str, Callable[[str], Any]]
"""What can be given, and what makes a value of it or raises ValueError."""

_FREE: dict[str, Setting] = {
    "drop": ("a share from 0 to 1", float),
    "silent": ("on, off", _on_or_off),
    "delay": ("seconds", float),
    "copies": ("a number", int),
    "next_beat": ("milliseconds, none", _or_none(int)),
    "encoding": (_values(NextBeatEncoding) + ", none", _or_none(NextBeatEncoding)),
    "status": ("an HTTP error status", int),
    "retry_after": ('seconds, "an HTTP date", ""', str),
    "slow_seconds": ("seconds", float),
    "field": (", ".join(FIELDS), str),
    "port": ("a number that is no port", int),
    "heartbeat_server": ('a URL, or anything else, ""', str),
    "message_server": ('a URL, or anything else, ""', str),
}
"""The faults that are no choice of a few values."""
SETTINGS: dict[str, Setting] = {
    each.name: _FREE.get(each.name) or (_values(possible(each.name)), KINDS[each.name]) for each in fields(Faults)
}
"""How each of the `Faults` is set."""


async def run_command(server: HeartbeatServer, line: str) -> str:
    """Carry out one command and return what to show; raises `AgentCPError` that names what exists."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"{line!r} cannot be read: {error}") from None
    match words:
        case [] | ["help"]:
            return "\n".join(f"{command:<24} {what}" for command, what in COMMANDS.items())
        case ["faults"]:
            return "\n".join(
                f"{name:<16} {_shown(getattr(server.faults, name)):<10} {usage}"
                for name, (usage, _) in SETTINGS.items()
            )
        case ["status"]:
            return _status(server)
        case ["statistics"]:
            return json.dumps(asdict(server.statistics()))
        case ["agent", agent_id]:
            return _agent(server, agent_id)
        case ["ok"]:
            server.faults = Faults()
            return "no faults"
        case ["fault", *settings] if settings and len(settings) % 2 == 0:
            server.set_faults(**dict(_setting(*pair) for pair in zip(settings[::2], settings[1::2], strict=True)))
            return _faults(server)
        case ["fault", *_]:
            raise ConfigError(f"{line!r}: give names and values in turn; the names are {', '.join(SETTINGS)}")
        case ["restart"]:
            server.restart()
            return "every session is forgotten"
        case ["move", *where] if len(where) <= 2:
            return _move(server, *where)
        case ["invite", agent_id, *inviter] if len(inviter) <= 1:
            return await _invite(server, agent_id, *inviter)
        case _:
            raise ConfigError(f"{line!r} is no command; there are {', '.join(COMMANDS)}")


async def attend(server: HeartbeatServer, answer: Callable[[str | AgentCPError], None], *, keep_running: bool) -> None:
    """Run a started server, with commands from standard input, until SIGINT or SIGTERM, or the input's end.

    `answer` is called with what each command returned or raised.  With `keep_running` the input may end: the server
    goes on.  For the main thread only, which is where signals are handled.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    async def obey() -> None:
        while line := await lines.get():
            try:
                answer(await run_command(server, line))
            except AgentCPError as error:
                answer(error)
        if keep_running:
            await loop.create_future()

    def put(line: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lines.put_nowait, line)

    # A thread, because an event loop can wait for terminals and pipes, but not for files.
    threading.Thread(target=_read_lines, args=(put,), name="agentcp-console", daemon=True).start()
    obeying = loop.create_task(obey())
    with ending.watched(loop, obeying.cancel):
        try:
            await obeying
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it was no signal


def _read_lines(put: Callable[[str], None]) -> None:
    """Hand each line of standard input that holds something to `put`, and "" at the end."""
    # Unbuffered: a thread that waits within Python's own buffer would keep the interpreter from exiting.
    with suppress(OSError), open(0, "rb", buffering=0, closefd=False) as lines:  # a closed one is at its end
        for line in lines:
            text = line.decode(errors="replace").strip()
            if text:
                put(text)
    put("")


async def _invite(server: HeartbeatServer, agent_id: str, inviter: str = "console.local") -> str:
    invitation = Invitation(inviter, uuid.uuid4().hex, 0, uuid.uuid4().hex, "")
    try:
        await server.invite(agent_id, invitation)
    except TimeoutError:
        return f"{quoted(agent_id)} did not answer"
    return f"{quoted(agent_id)} answered"


def _move(server: HeartbeatServer, *where: str) -> str:
    port, old_port = 0, OldPort.DEAD
    for word in where:
        if word in list(OldPort):
            old_port = OldPort(word)
        else:
            try:
                port = int(word)
            except ValueError:
                raise ConfigError(
                    f"{word!r} is no port, and nothing that the old one becomes: {', '.join(OldPort)}"
                ) from None
    _, port = server.move(port, old_port)
    return f"heartbeats go to port {port}"


def _status(server: HeartbeatServer) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in asdict(server.statistics()).items() if count)
    agents = server.agents()
    shown = [
        f"  {quoted(agent.agent_id)}  {'online' if agent.online else 'offline'}, heartbeats {agent.heartbeats}"
        for agent in agents[:AGENTS_SHOWN]
    ]
    if len(agents) > len(shown):
        shown.append(f"  and {len(agents) - len(shown)} more")
    return "\n".join([_faults(server), f"counted: {counted or 'nothing'}", f"agents: {len(agents)}", *shown])


def _agent(server: HeartbeatServer, agent_id: str) -> str:
    agent = server.agent(agent_id)
    if agent is None:
        known = [quoted(agent.agent_id) for agent in server.agents()[:AGENTS_SHOWN]]
        raise ConfigError(f"no agent {agent_id!r} has signed in; there are {', '.join(known) or 'none'}")
    return json.dumps(asdict(agent))


def _faults(server: HeartbeatServer) -> str:
    changed = [
        f"{name}={_shown(getattr(server.faults, name))}"
        for name in SETTINGS
        if getattr(server.faults, name) != getattr(Faults(), name)
    ]
    return "faults: " + (", ".join(changed) or "none")


def _setting(name: str, text: str) -> tuple[str, Any]:
    if name not in SETTINGS:
        raise ConfigError(f"{name!r} is no fault; there are {', '.join(SETTINGS)}")
    usage, parse = SETTINGS[name]
    try:
        return name, parse(text)
    except ValueError:
        raise ConfigError(f"{name} cannot be {text!r}: give {usage}") from None


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case Enum():
            return str(value.value)
    return quoted(str(value))
