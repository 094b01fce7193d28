"""A `HeartbeatClient` with the methods of the AgentCP SDK's own, kept reachable by one `Connection`.

`install()` puts it in the place of the SDK's own, so that a program which uses ``agentcp`` stays as it is.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from agentcp_fsm.connection import Connection
from agentcp_fsm.connection.hub import JOIN_TIMEOUT
from agentcp_fsm.connection.workers import HandlerQueue
from agentcp_fsm.errors import AgentCPError, ConfigError, SDKError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.lifecycle.session import Invitation
from agentcp_fsm.sign_in import AuthClient, Credentials
from agentcp_fsm.support import forking

if TYPE_CHECKING:
    from typing import Unpack

    from agentcp_fsm.sign_in import ClientOptions

logger = logging.getLogger(__name__)

INVITE_REQUEST = 259
"""The type of an invite request (protocol, "Datagrams")."""


@dataclass(frozen=True, slots=True)
class UdpMessageHeader:
    """A datagram's header, with the SDK's names (protocol, "Datagrams")."""

    MessageMask: int = 0
    MessageSeq: int = 0
    """0: a connection hands on what was said, not in which datagram."""
    MessageType: int = INVITE_REQUEST
    PayloadSize: int = 0


@dataclass(frozen=True, slots=True)
class InviteMessageReq:
    """An invitation, with the SDK's names; what a listener receives in a program that does not use the SDK."""

    InviterAgentId: str
    InviteCode: str
    InviteCodeExpire: int
    SessionId: str
    MessageServer: str
    header: UdpMessageHeader = UdpMessageHeader()


INVITATION_LIMIT = 64
"""How many invitations wait for a listener, and as many again for it to return."""

InviteListener = Callable[[Any], Any]


class HeartbeatClient:
    """The SDK's heartbeat client, as to its methods; `connection` has all the rest: states, transitions, health.

    ``aid_path`` is the folder of the agent's ``.key`` and ``.crt``, or the SDK's data folder; ``seed_password`` opens
    the key.  Beyond the SDK's arguments: ``config``, and the options of `AuthClient` that say whom to trust, such as
    ``verify`` for a private certificate authority, or ``allow_insecure_http``.

    Raises CredentialsError or ConfigError at once for what cannot work; the methods raise nothing, as the SDK's.
    """

    def __init__(
        self,
        agent_id: str,
        server_url: str,
        aid_path: str | os.PathLike[str],
        seed_password: str | None,
        *,
        config: Config | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.agent_id = agent_id
        self.server_url = server_url
        credentials = Credentials.load(aid_path, agent_id, seed_password)
        self.connection = Connection(agent_id, server_url, credentials=credentials, config=config, **options)
        self.connection.on_invite(self._invited)
        self.connection.on_transition(self._transitioned)
        self._last_failure = "none"
        self._listener: InviteListener | None = None
        self._clean_slate()
        _clients.add(self)

    def _clean_slate(self) -> None:
        """Nothing was asked for, nothing was received."""
        self.is_running = False
        """Whether the agent is to be reachable: from `online` or `sign_in` to `offline`."""
        self._lock = threading.Lock()
        self._unheard: deque[Invitation] = deque()
        self._deliveries = HandlerQueue(INVITATION_LIMIT)

    @property
    def heartbeat_interval(self) -> int:
        """Milliseconds between heartbeats."""
        interval = self.connection.health().interval
        return round(1000 * (self.connection.config.interval_min if interval is None else interval))

    def initialize(self) -> None:
        """Sign in; see `sign_in`."""
        self.sign_in()

    def sign_in(self) -> bool:
        """Go online, and wait until the server answers heartbeats, at most as long as one attempt may take.

        False if it does not by then; the reason is logged, and the connection keeps trying.
        """
        self.online()
        # OFFLINE means that it was stopped meanwhile, or gave up: then there is nothing to wait for.
        self.connection.wait_for(
            State.ONLINE, State.DEGRADED, State.OFFLINE, timeout=self.connection.config.attempt_bound
        )
        health = self.connection.health()
        if not health.reachable:
            logger.warning(
                "%s is not online yet, but %s: %s; the last failure: %s",
                self.agent_id,
                health.state,
                health.reason,
                self._last_failure,
            )
        return health.reachable

    def online(self) -> None:
        """Become reachable, and stay so until `offline`; returns at once, and does nothing if called already."""
        self.is_running = True
        self.connection.start()

    def offline(self) -> None:
        """Sign out and come to rest, within a bounded time; does nothing if called already."""
        self.is_running = False
        if not self.connection.stop():
            logger.warning("%s is not at rest yet, but %s", self.agent_id, self.connection.state)
        self._deliveries.join(JOIN_TIMEOUT)

    def sign_out(self) -> None:
        """Go offline, which signs out; does nothing after `offline`."""
        self.offline()

    def set_on_recv_invite(self, listener: InviteListener | None) -> None:
        """Have `listener` called with each invitation, first with the latest that came while there was none.

        It is called away from the heartbeats, one invitation at a time: it may take its time and may raise.  The SDK
        goes online before it sets its listener.
        """
        with self._lock:
            self._listener = listener
            while listener is not None and self._unheard:
                self._deliveries.submit(partial(listener, _as_sdk(self._unheard.popleft())))

    def get_online_status(self, aids: Sequence[str]) -> list[Any]:
        """Ask the server which of the agents are online: its list as it came; empty, and the reason logged, if not."""
        try:
            return self.connection.query_online_state(aids)
        except AgentCPError as error:
            logger.warning("%s: the online status of %s is not known: %s", self.agent_id, aids, error)
            return []

    def _invited(self, invitation: Invitation) -> None:
        with self._lock:
            if self._listener is not None:
                self._deliveries.submit(partial(self._listener, _as_sdk(invitation)))
                return
            if len(self._unheard) == INVITATION_LIMIT:
                lost = self._unheard.popleft()
                logger.warning("%s: an invitation from %s found no listener", self.agent_id, lost.inviter_agent_id)
            self._unheard.append(invitation)

    def _transitioned(self, transition: ReportTransition) -> None:
        if transition.dest == State.BACKOFF:
            self._last_failure = transition.text
        elif transition.dest == State.ONLINE:
            self._last_failure = "none"


_clients: WeakSet[HeartbeatClient] = WeakSet()
"""All there are, so that a forked child can put its copies to rest, as `Connection` does."""


def _forget_in_child() -> None:
    for client in list(_clients):
        client._clean_slate()


forking.in_child(forking.Stage.CLIENTS, _forget_in_child)


def _as_sdk(invitation: Invitation) -> Any:
    """The same in the SDK's class, if the program uses the SDK, else in `InviteMessageReq`."""
    fields: dict[str, Any] = {
        "InviterAgentId": invitation.inviter_agent_id,
        "InviteCode": invitation.invite_code,
        "InviteCodeExpire": invitation.invite_code_expire,
        "SessionId": invitation.session_id,
        "MessageServer": invitation.message_server,
    }
    sdk: Any = sys.modules.get("agentcp.msg.message_serialize")
    if sdk is None:
        return InviteMessageReq(**fields)
    message = sdk.InviteMessageReq()
    message.header.MessageType = INVITE_REQUEST
    for name, value in fields.items():
        setattr(message, name, value)
    return message


# The SDK's place -----------------------------------------------------------------------------------------------------

_PLACES = ("agentcp.heartbeat.heartbeat_client", "agentcp.heartbeat_client", "agentcp.agentcp")
"""The SDK's modules that have the class."""
_NAME = "HeartbeatClient"

_originals: dict[ModuleType, Any] = {}
"""The SDK's own classes by module, while they are replaced."""


def install(*, config: Config | None = None, **options: Unpack[ClientOptions]) -> None:
    """Put `HeartbeatClient` in the place of the SDK's own, for every agent that goes online from now on.

    The options go to each `HeartbeatClient` that the SDK makes.  Installing again changes the options, and nothing
    else.  What a program imported from the SDK by name before, it keeps.

    Raises, before anything is changed, ConfigError for a config or an option that cannot work, and SDKError if
    ``agentcp`` cannot be imported or has no such class.
    """
    if config is not None and not isinstance(config, Config):
        raise ConfigError(f"config={config!r}: give a Config, such as Config(interval_max=60.0)")
    AuthClient("https://localhost", **options).close()
    replacement: type[Any] = HeartbeatClient
    if config is not None or options:

        class ConfiguredHeartbeatClient(HeartbeatClient):
            """What the SDK makes, with the options of `install`."""

            def __init__(self, agent_id: str, server_url: str, aid_path: str, seed_password: str | None) -> None:
                super().__init__(agent_id, server_url, aid_path, seed_password, config=config, **options)

        replacement = ConfiguredHeartbeatClient
    for module in _modules():
        present = getattr(module, _NAME)
        if not issubclass(present, HeartbeatClient):
            _originals[module] = present
        setattr(module, _NAME, replacement)


def uninstall() -> None:
    """Give the SDK its own class back, if it was replaced; clients that were made meanwhile stay as they are."""
    while _originals:
        module, original = _originals.popitem()
        setattr(module, _NAME, original)


def _modules() -> list[ModuleType]:
    try:
        modules = [import_module(name) for name in _PLACES]
    except ImportError as error:
        raise SDKError(f"the AgentCP SDK cannot be imported ({error}): install it with pip install agentcp") from error
    for module in modules:
        if not isinstance(getattr(module, _NAME, None), type):
            raise SDKError(f"{module.__name__} has no class {_NAME}: install agentcp 0.1.99, whose place is known")
    return modules
