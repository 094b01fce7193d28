"""Asking an agent's access point for its heartbeat server (protocol, "Finding the heartbeat server")."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Unpack
from urllib.parse import urlsplit

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from agentcp_fsm.errors import ConfigError, DiscoveryError, DiscoveryStep, FailureKind, SignInError, URLError
from agentcp_fsm.sign_in.answers import Fields, is_host
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.client import AuthClient, ClientOptions, checked_url, secure_url
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.sign_in.failures import causes
from agentcp_fsm.sign_in.http import Transport
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.addresses import near
from agentcp_fsm.support.lookups import is_address
from agentcp_fsm.support.quoting import quoted, shown_url

API = "/api/accesspoint"
"""The path of an access point's calls."""
HOSTS = ("acp3.", "ap.")
"""What an access point's host begins with: today's first, then that of older SDKs, and of the one for Flutter."""

MAX_URL = 500
"""Characters of the URL that an access point may name."""


@dataclass(frozen=True, slots=True)
class AccessPointConfig:
    """The answer of an access point to an agent."""

    heartbeat_server: str
    """A checked URL, fit for `AuthClient`; the access point's own if its config names none (so the SDK for C++)."""
    message_server: str | None
    """As it came, if it is text: nothing here uses it."""


def access_point_url(agent_id: str, access_point: str | None = None) -> str:
    """Return the URL of an access point's calls.

    ``access_point`` is a name such as agentid.pub, a host such as ap.agentid.pub, or a URL; the usual path is added if
    it lacks it.  Without one, the agent id's last two labels are the name.  Raises `ConfigError` for an agent id or a
    name that cannot be.
    """
    if access_point is None:
        labels = agent_id.split(".")
        if len(labels) < 3:
            raise ConfigError(
                f"the agent id {quoted(agent_id)!r} names no access point: give a whole one, such as"
                " alice.agentid.pub, or the access point (--access-point), or the server's URL (--server)"
            )
        access_point = ".".join(labels[-2:])
    if "://" in access_point:
        url = access_point.rstrip("/")
        return url if url.endswith(API) else url + API
    if not all(label.replace("-", "").isalnum() for label in access_point.split(".")) or is_address(access_point):
        raise ConfigError(
            f"{shown_url(access_point)!r} is no access point: give a name such as agentid.pub, or a URL such as"
            " https://acp3.agentid.pub"
        )
    is_host = access_point.startswith(HOSTS) and access_point.count(".") > 1
    return f"https://{access_point if is_host else HOSTS[0] + access_point}{API}"


class AccessPointClient(AuthClient):
    """Asks one access point, on behalf of any agent; the options are those of `AuthClient`.

    ``url`` is one that `access_point_url` returned.  ``server_name`` names the heartbeat server and is ignored here.
    """

    def __init__(
        self,
        url: str,
        *,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        options.pop("server_name", None)
        super().__init__(url, timeouts=timeouts, transport=transport, **options)
        self._allow_insecure_http = options.get("allow_insecure_http", False)

    def config(self, credentials: Credentials, abandonment: Abandonment | None = None) -> AccessPointConfig:
        """Sign in, ask, and sign out again; blocks for at most the total timeout.

        Raises `DiscoveryError`, or, abandoned, `SignInError` of kind ABANDONED.
        """
        agent_id = credentials.agent_id
        call = Call.begin(self._timeouts, abandonment)
        step = DiscoveryStep.SIGN_IN
        try:
            token = self._sign_in(credentials, call).text("signature")
            try:
                step = DiscoveryStep.CONFIG_CALL
                answer = Fields.of(self._post("get_accesspoint_config", _signed(agent_id, token), call))
                step = DiscoveryStep.CONFIG_CONTENT
                return self._checked(answer.mapping("config"))
            finally:
                # A courtesy: the token expires by itself.
                with suppress(SignInError):
                    self._post("sign_out", _signed(agent_id, token), call)
        except SignInError as failure:
            if failure.kind is FailureKind.ABANDONED:
                raise
            raise DiscoveryError(_step_of(failure, step), agent_id, failure) from failure

    def _checked(self, config: Fields) -> AccessPointConfig:
        """Return what the config says; raises `SignInError`."""
        if config.content.get("heartbeat_server") in (None, ""):
            return AccessPointConfig(self._server_url, _text_or_none(config, "message_server"))
        try:
            named = secure_url(config.text("heartbeat_server"), self._allow_insecure_http)
            heartbeat_server = checked_url(named, self._allow_insecure_http)
        except URLError as error:
            raise config.invalid("heartbeat_server", f"of no use ({quoted(error.fault)})") from error
        if len(heartbeat_server) > MAX_URL:  # it is in each line of the log
            raise config.invalid("heartbeat_server", f"a URL of more than {MAX_URL} characters")
        if not is_host(urlsplit(heartbeat_server).hostname or ""):
            raise config.invalid("heartbeat_server", "no URL whose host can be")
        # A stranger must not direct the agent to a service that this machine keeps for itself.
        if is_here(heartbeat_server) and not is_here(self._server_url) and not self._allow_insecure_http:
            raise config.invalid("heartbeat_server", "a URL of this machine, which no other may name")
        return AccessPointConfig(heartbeat_server, _text_or_none(config, "message_server"))


def _text_or_none(config: Fields, name: str) -> str | None:
    value = config.content.get(name)
    return value if isinstance(value, str) else None


def _signed(agent_id: str, token: str) -> dict[str, str]:
    return {"agent_id": agent_id, "signature": token}


def _step_of(failure: SignInError, step: DiscoveryStep) -> DiscoveryStep:
    """Return the step that failed: ``step``, or what comes before it on the network."""
    behind = tuple(causes(failure))
    for kinds, earlier in (
        (socket.gaierror, DiscoveryStep.NAME_RESOLUTION),
        (ssl.SSLError, DiscoveryStep.TLS),
        ((NewConnectionError, ConnectTimeoutError, ProxyError), DiscoveryStep.CONNECTION),
    ):
        if any(isinstance(cause, kinds) for cause in behind):
            return earlier
    return step


def is_here(url: str) -> bool:
    """Whether the URL's host, without asking for its address, is this machine, however it is written."""
    return near(urlsplit(url).hostname or "") in ("loopback", "unspecified")  # the latter, connected to, is the former
