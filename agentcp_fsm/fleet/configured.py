"""The members of a fleet that is configured by a file; it needs pydantic-settings (the extra ``config``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.operations.agents import password_of, trust
from agentcp_fsm.operations.invitations import Handlers
from agentcp_fsm.operations.options import AgentOptions
from agentcp_fsm.operations.settings import AgentSettings, ProgramSettings, load_fleet
from agentcp_fsm.operations.settings_file import BadEntry
from agentcp_fsm.sign_in import Credentials

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Configured:
    """What a file says of a fleet."""

    settings: ProgramSettings
    members: tuple[Member, ...]
    bad: tuple[BadEntry, ...]
    """The agents that cannot be, each with its place in the file."""
    handlers: Handlers
    """What the members' handlers were made by: give it to the next reading, and close it at the end."""


def read_fleet(file: Path, flags: Mapping[str, object], handlers: Handlers | None = None) -> Configured:
    """Read the members of a fleet; an agent that cannot be is in `bad`, and keeps no other from being a member.

    ``flags`` are settings of the whole program that outweigh the file's.  The same ``handlers`` for each reading of a
    changed file keep an agent's handler whose settings are the same.  Raises ConfigError for what concerns all agents.
    """
    settings = load_fleet(file, flags)
    handlers = handlers or Handlers(settings.command.on_invite_limit)
    members: list[Member] = []
    bad = list(settings.bad)
    for agent in settings.agents:
        try:
            members.append(_member(agent, handlers))
        except AgentCPError as error:
            place = agent.origins["agent_id"]
            bad.append(BadEntry(agent.options.agent_id, ConfigError(f"{place}: {agent.options.agent_id}: {error}")))
    return Configured(settings, tuple(members), tuple(bad), handlers)


def _member(agent: AgentSettings, handlers: Handlers) -> Member:
    options = agent.options
    return Member(
        options.agent_id,
        partial(_connection, options, agent.config),
        (options, agent.config),
        handlers.of(agent.handlers),
        options.server or options.access_point or options.agent_id.partition(".")[2],
        agent.origins["agent_id"],
    )


def _connection(options: AgentOptions, config: Config) -> AsyncConnection:
    """Read an agent's files, and make its connection; raises AgentCPError for what cannot be."""
    password = password_of(options, lambda danger: logger.warning("%s: %s", options.agent_id, danger))
    return AsyncConnection(
        options.agent_id,
        options.server,
        credentials=Credentials.load(options.data, options.agent_id, password=password),
        access_point=options.access_point,
        config=config,
        codec=options.codec,
        **trust(options),
    )
