"""Keeps an AgentCP agent reachable: the life of its heartbeat connection as one explicit finite state machine.

Names are loaded when they are first used: importing the package alone costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentcp_fsm.connection import AsyncConnection, Connection, Health
    from agentcp_fsm.errors import (
        AgentCPError,
        ChartError,
        ConfigError,
        ConnectionStateError,
        CredentialsError,
        DiscoveryError,
        DiscoveryStep,
        FailureKind,
        PasswordRequiredError,
        SDKError,
        ServerProofError,
        SignInError,
        WireError,
    )
    from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row
    from agentcp_fsm.lifecycle.chart import CHART, State
    from agentcp_fsm.lifecycle.config import Config
    from agentcp_fsm.lifecycle.effects import ReportTransition
    from agentcp_fsm.lifecycle.machine import Lifecycle
    from agentcp_fsm.lifecycle.session import Invitation, Session
    from agentcp_fsm.lifecycle.statistics import Statistics
    from agentcp_fsm.sign_in import AuthClient, Credentials, ServerProofPolicy, load_trust_roots

_NAMES_IN = {
    "connection": "AsyncConnection Connection Health",
    "errors": "AgentCPError ChartError ConfigError ConnectionStateError CredentialsError DiscoveryError DiscoveryStep"
    " FailureKind PasswordRequiredError SDKError ServerProofError SignInError WireError",
    "fsm.chart": "Chart ChartState Role Row",
    "lifecycle.chart": "CHART State",
    "lifecycle.config": "Config",
    "lifecycle.effects": "ReportTransition",
    "lifecycle.machine": "Lifecycle",
    "lifecycle.session": "Invitation Session",
    "lifecycle.statistics": "Statistics",
    "sign_in": "AuthClient Credentials ServerProofPolicy load_trust_roots",
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names.split()}

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
    "DiscoveryError",
    "DiscoveryStep",
    "FailureKind",
    "Health",
    "Invitation",
    "Lifecycle",
    "PasswordRequiredError",
    "ReportTransition",
    "Role",
    "Row",
    "SDKError",
    "ServerProofError",
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
