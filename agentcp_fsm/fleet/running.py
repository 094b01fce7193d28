"""A configured fleet, made for a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agentcp_fsm.connection import AsyncConnection
from agentcp_fsm.fleet.asynchronous import Meter
from agentcp_fsm.fleet.configured import Configured
from agentcp_fsm.fleet.member import Member
from agentcp_fsm.fleet.threaded import Fleet
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.operations.recorder import LossTraces

Say = Callable[[str, str], None]
"""Takes an agent's id, and what is to be said of it."""


def fleet_of(
    configured: Configured,
    members: Iterable[Member],
    *,
    refused: Say,
    failed: Say,
    gave_up: Callable[[], None],
    metrics: Meter | None = None,
) -> Fleet:
    """The fleet of some of the configured members.

    ``refused`` is called for agents that cannot be started, ``failed`` for errors that need a person, and ``gave_up``
    when an agent has given up and the settings say that this ends the command.
    """
    command = configured.settings.command
    traces = None if command.traces is None else LossTraces(command.traces)

    def moved(transition: ReportTransition) -> None:
        if transition.dest is State.OFFLINE:
            gave_up()

    def watch(connection: AsyncConnection) -> None:
        agent_id = connection.agent_id
        connection.on_error(lambda reason: failed(agent_id, reason))
        if command.exit_on_failure:
            connection.on_transition(moved)
        if traces is not None:
            traces.watch(connection)

    return Fleet(
        members,
        starts_at_once=configured.settings.fleet.starts_at_once,
        metrics=metrics,
        on_made=watch,
        on_refused=lambda member, why: refused(member.agent_id, f"{member.place}: {why}"),
    )
