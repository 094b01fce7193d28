"""Our heartbeat client in the place of the SDK's own, in every module of the SDK that has it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Unpack

from agentcp_fsm.connection import Connection
from agentcp_fsm.connection.handlers import Handler, Kind
from agentcp_fsm.errors import AgentCPError, ConfigError, SDKError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.sdk.client import HeartbeatClient
from agentcp_fsm.sign_in import AuthClient, ClientOptions
from agentcp_fsm.sign_in.client import secure_url

logger = logging.getLogger("agentcp_fsm.sdk")

MAIN = "agentcp.agentcp"
"""The SDK's module that makes heartbeat clients."""
NAME = "HeartbeatClient"

OnTransition = Callable[[str, ReportTransition], Any]
OnError = Callable[[str, str], Any]

_originals: dict[ModuleType, Any] = {}
"""The SDK's own classes by module, while they are replaced."""
_handlers: dict[str, tuple[tuple[Kind, Handler], ...]] = {}
"""By agent id: the handlers that the application added to the connection of its latest life."""


class _RememberingConnection(Connection):
    """A connection that knows which handlers were added to it, so that the agent's next one can have them."""

    __slots__ = ("added",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.added: list[tuple[Kind, Handler]] = []
        super().__init__(*arguments, **options)

    def _add_handler(self, kind: Kind, handler: Handler) -> None:
        super()._add_handler(kind, handler)
        self.added.append((kind, handler))


def install(
    *,
    config: Config | None = None,
    on_transition: OnTransition | None = None,
    on_error: OnError | None = None,
    **options: Unpack[ClientOptions],
) -> None:
    """Put `HeartbeatClient` in the place of the SDK's own, for every agent that goes online from now on.

    ``on_transition(agent_id, transition)`` and ``on_error(agent_id, text)`` are called for every agent and each of its
    lives, as the handlers of `Connection` are.  The options go to each `HeartbeatClient` that the SDK makes.
    Installing again changes all of these, and nothing else.  What a program imported from the SDK by name before, it
    keeps.

    Raises, before anything is changed, ConfigError for what cannot work, and SDKError, with the cause, if ``agentcp``
    cannot be imported or has no such class.
    """
    if config is not None and not isinstance(config, Config):
        raise ConfigError(f"config={config!r}: give a Config, such as Config(interval_max=60.0)")
    for name, handler in (("on_transition", on_transition), ("on_error", on_error)):
        if handler is not None and not callable(handler):
            raise ConfigError(f"{name}={handler!r}: give something callable with two arguments, the agent id first")
    AuthClient("https://localhost", **options).close()

    class InstalledHeartbeatClient(HeartbeatClient):
        """What the SDK makes, with the options of `install`."""

        _connection_class = _RememberingConnection
        connection: _RememberingConnection

        def __init__(self, agent_id: str, server_url: str, aid_path: str, seed_password: str | None) -> None:
            try:
                url = secure_url(server_url, options.get("allow_insecure_http", False))
                super().__init__(agent_id, url, aid_path, seed_password, config=config, **options)
            except Exception as error:
                # The SDK swallows what is raised here, and by default shows nothing.
                known = isinstance(error, AgentCPError)
                logger.error("%s cannot go online: %s", agent_id, error, exc_info=not known)
                raise
            if on_transition is not None:
                self.connection.on_transition(lambda transition: on_transition(agent_id, transition))
            if on_error is not None:
                self.connection.on_error(lambda text: on_error(agent_id, text))
            self.connection.added = []  # what follows is the application's
            for kind, handler in _handlers.get(agent_id, ()):
                getattr(self.connection, f"on_{kind}")(handler)

        def offline(self) -> None:
            _handlers[self.agent_id] = tuple(self.connection.added)
            super().offline()

    for module in _modules():
        present = getattr(module, NAME)
        if not issubclass(present, HeartbeatClient):
            _originals[module] = present
        setattr(module, NAME, InstalledHeartbeatClient)


def uninstall() -> None:
    """Give the SDK its own class back, if it was replaced; clients that were made meanwhile stay as they are."""
    _handlers.clear()
    while _originals:
        module, original = _originals.popitem()
        setattr(module, NAME, original)


def _modules() -> list[ModuleType]:
    """The SDK's modules that have the class: those that the SDK itself imports, or the program."""
    try:
        sdk = import_module("agentcp")
        main = import_module(MAIN)
    except ModuleNotFoundError as error:
        if error.name == "agentcp":
            raise SDKError("the AgentCP SDK is not installed: install it with pip install agentcp") from error
        raise SDKError(
            f"the AgentCP SDK cannot be imported, for it lacks {error.name}: install what it needs, or another version"
            " of it, such as agentcp==0.1.99"
        ) from error
    except Exception as error:
        raise SDKError(
            f"the AgentCP SDK is installed, but its import fails with {type(error).__name__}: {error}: see to that"
            " first, for a program that uses the SDK fails so, too"
        ) from error
    if not isinstance(getattr(main, NAME, None), type):
        raise SDKError(
            f"agentcp {getattr(sdk, '__version__', 'of an unknown version')} ({main.__file__}) has no class {NAME} in"
            f" {MAIN}: install agentcp 0.1.40 or later"
        )
    loaded = [module for name, module in list(sys.modules.items()) if name.startswith("agentcp.") and module]
    return [module for module in loaded if _is_theirs(vars(module).get(NAME))]


def _is_theirs(value: object) -> bool:
    return isinstance(value, type) and (value.__module__.startswith("agentcp.") or issubclass(value, HeartbeatClient))
