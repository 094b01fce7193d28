"""Keeps an AgentCP agent reachable: the life of its heartbeat connection as one explicit finite state machine.

Names are loaded when they are first used: importing the package alone costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentcp_fsm.auth import AuthClient, Credentials, ServerProofPolicy, SignInError, load_trust_roots
    from agentcp_fsm.chart import CHART, State
    from agentcp_fsm.config import Config
    from agentcp_fsm.effects import ReportTransition
    from agentcp_fsm.engine import Chart, ChartState, Row
    from agentcp_fsm.errors import (
        AgentCPError,
        ChartError,
        ConfigError,
        ConnectionStateError,
        CredentialsError,
        SDKError,
        WireError,
    )
    from agentcp_fsm.lifecycle import Lifecycle, Statistics
    from agentcp_fsm.runtime import AsyncConnection, Connection, Health
    from agentcp_fsm.session import Invitation, Session

_MODULE_OF = {
    "AgentCPError": "errors",
    "AsyncConnection": "runtime",
    "AuthClient": "auth",
    "CHART": "chart",
    "Chart": "engine",
    "ChartError": "errors",
    "ChartState": "engine",
    "Config": "config",
    "ConfigError": "errors",
    "Connection": "runtime",
    "ConnectionStateError": "errors",
    "Credentials": "auth",
    "CredentialsError": "errors",
    "Health": "runtime",
    "Invitation": "session",
    "Lifecycle": "lifecycle",
    "ReportTransition": "effects",
    "Row": "engine",
    "SDKError": "errors",
    "ServerProofPolicy": "auth",
    "Session": "session",
    "SignInError": "auth",
    "State": "chart",
    "Statistics": "lifecycle",
    "WireError": "errors",
    "load_trust_roots": "auth",
}

__all__ = [
    "CHART",
    "AgentCPError",
    "AsyncConnection",
    "AuthClient",
    "Chart",
    "ChartError",
    "ChartState",
    "Config",
    "ConfigError",
    "Connection",
    "ConnectionStateError",
    "Credentials",
    "CredentialsError",
    "Health",
    "Invitation",
    "Lifecycle",
    "ReportTransition",
    "Row",
    "SDKError",
    "ServerProofPolicy",
    "Session",
    "SignInError",
    "State",
    "Statistics",
    "WireError",
    "load_trust_roots",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
