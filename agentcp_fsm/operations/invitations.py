"""What is called for each invitation, made from settings: functions, commands and webhooks."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.operations.agents import first_line
from agentcp_fsm.operations.invite_command import InviteCommand
from agentcp_fsm.operations.options import HandlerOptions

logger = logging.getLogger(__name__)

Handle = Callable[[str, Invitation], object]
"""Takes the id of the invited agent, and the invitation."""


class Handlers:
    """The handlers of all agents of a program.  Agents with the same settings share a command's or webhook's limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: dict[HandlerOptions, Handle | None] = {}
        self._closing: list[Callable[[], None]] = []

    def of(self, options: HandlerOptions) -> Handle | None:
        """What to call; None if the settings name nothing.  Raises ConfigError or CredentialsError if it cannot be."""
        if options not in self._made:
            self._made[options] = self._make(options)
        return self._made[options]

    def close(self) -> None:
        """End the commands and calls under way, in bounded time."""
        for close in self._closing:
            close()

    def _make(self, options: HandlerOptions) -> Handle | None:
        called: list[Handle] = []
        if options.on_invite is not None:
            command = InviteCommand(options.on_invite, timeout=options.on_invite_timeout, limit=self._limit)
            self._closing.append(command.close)
            called.append(command.run)
        if options.webhook is not None:
            from agentcp_fsm.operations.webhook import Webhook

            file = options.webhook_secret_file
            webhook = Webhook(
                options.webhook,
                secret=None if file is None else first_line(file, "webhook secret", logger.warning),
                timeout=options.webhook_timeout,
                tries=options.webhook_tries,
                limit=self._limit,
            )
            self._closing.append(webhook.close)
            called.append(webhook.run)
        if options.handler is not None:
            called.append(load_handler(options.handler))
        if len(called) <= 1:
            return called[0] if called else None

        def call_all(agent_id: str, invitation: Invitation) -> None:
            for each in called:
                each(agent_id, invitation)

        return call_all


def load_handler(target: str) -> Handle:
    """The function that ``module:name`` names; the module may be in the present folder.

    A coroutine function is run in a loop of its own, in the agent's thread for handlers: it cannot hold up heartbeats.
    Raises ConfigError if there is none.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise ConfigError(f"handler={target!r} names no function: write module:name, as in mypackage.invitations:join")
    sys.path.insert(0, os.getcwd())
    try:
        found: object = import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ConfigError(f"handler={target!r} cannot be imported: {error!r}") from error
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise ConfigError(f"handler={target!r} cannot be called: name a function of an agent's id and an invitation")
    function: Handle = found
    if inspect.iscoroutinefunction(function):
        coroutine = function
        return lambda agent_id, invitation: asyncio.run(coroutine(agent_id, invitation))
    return function
