"""The calls of the sign-in service (protocol, "Sign-in")."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self, TypedDict
from urllib.parse import quote, urlsplit

import requests
from cryptography import x509

from agentcp_fsm.errors import ConfigError, ServerProofError, URLError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in.answers import Fields, check_status
from agentcp_fsm.sign_in.authorities import authorities
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.credentials import Credentials
from agentcp_fsm.sign_in.failures import abandoned
from agentcp_fsm.sign_in.http import Answer, Transport, is_loopback
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.sign_in.trust.proof import ServerProof, ServerProofPolicy, verify_server_proof
from agentcp_fsm.sign_in.zones import without_zone
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.support.quoting import quoted, shown_url, without_login

logger = logger_of(__name__)

try:
    _VERSION = version("agentcp-fsm")
except PackageNotFoundError:  # run from its sources
    _VERSION = "0"


MAX_LOGGED_URL = 200
"""Characters of a stranger's URL that are logged."""


class ClientOptions(TypedDict, total=False):
    """The options of `AuthClient` that say whom to trust, for callers that pass them on."""

    verify: bool | str | os.PathLike[str]
    allow_insecure_http: bool
    server_proof: ServerProofPolicy | None
    trust_roots: Sequence[x509.Certificate] | None
    server_name: str | None
    allow_insecure_any_server_name: bool
    allow_insecure_private_issuers: bool


class AuthClient:
    """Signs agents in to one server, and out again.  It keeps no session, so threads and agents may share it.

    The options:

    - ``timeouts``: the bounds of each call.
    - ``verify``: how the server's TLS certificate is checked: True, against the usual certificate authorities, which
      are those of REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE if the environment has one; or the path of a file (PEM) or
      folder of others.  It cannot be turned off.
    - ``allow_insecure_http``: allow plain http, which lets everybody on the way read the session's token; otherwise
      plain http goes to loopback only.
    - ``trust_roots``: certificates that must vouch for a server's proof of itself; None asks for no root.
    - ``server_proof``: whether a server must offer a proof; None: it must if there are trust roots.
    - ``server_name``: the host name or IP address that a root must vouch for; None: that of the server's URL.
    - ``allow_insecure_any_server_name``: let the holder of any certificate of a trusted root, even an agent, pose as
      the server.
    - ``allow_insecure_private_issuers``: let a proof's certificates have this machine ask addresses inside its own
      network for their issuers.
    - ``transport``: the connections to use, which stay the caller's to close.

    Raises `ConfigError` for a URL or option that cannot work.
    """

    def __init__(
        self,
        server_url: str,
        *,
        timeouts: Timeouts | None = None,
        verify: bool | str | os.PathLike[str] = True,
        allow_insecure_http: bool = False,
        server_proof: ServerProofPolicy | None = None,
        trust_roots: Sequence[x509.Certificate] | None = None,
        server_name: str | None = None,
        allow_insecure_any_server_name: bool = False,
        allow_insecure_private_issuers: bool = False,
        transport: Transport | None = None,
    ) -> None:
        self._server_url = checked_url(server_url, allow_insecure_http)
        self._timeouts = timeouts or Timeouts()
        self._verify = authorities(verify)
        if server_proof is None:
            server_proof = ServerProofPolicy.VERIFY_IF_OFFERED if trust_roots is None else ServerProofPolicy.REQUIRE
        try:
            self._server_proof = ServerProofPolicy(server_proof)
        except ValueError as error:
            choices = " or ".join(repr(policy.value) for policy in ServerProofPolicy)
            raise ConfigError(f"server_proof is {server_proof!r}: give {choices}, or None") from error
        fetcher = IssuerFetcher(self._verify, allow_insecure_private_issuers)
        host = urlsplit(without_zone(self._server_url)[0]).hostname
        self._chain = _chain_verifier(trust_roots, server_name, allow_insecure_any_server_name, host, fetcher)
        self._transport = transport or Transport()
        self._owns_transport = transport is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections, unless they came with ``transport``."""
        if self._owns_transport:
            self._transport.close()

    def sign_in(self, credentials: Credentials, abandonment: Abandonment | None = None) -> Session:
        """Sign in, in two steps; blocks for at most the total timeout.

        Abandoned before step 2 is sent, it raises kind ABANDONED.  After that the server may have made a session, so
        the call waits for the answer and returns the session, which the caller must sign out.

        Raises `SignInError`.
        """
        session = self._sign_in(credentials, Call.begin(self._timeouts, abandonment)).session()
        logger.debug(
            "%s signed in at %s: heartbeats go to %s port %d",
            credentials.agent_id,
            self._server_url,
            session.host,
            session.port,
        )
        return session

    def _sign_in(self, credentials: Credentials, call: Call) -> Fields:
        """Take both steps and return the second one's answer, unchecked."""
        agent_id, request_id = credentials.agent_id, uuid.uuid4().hex
        request = {"agent_id": agent_id, "request_id": request_id}
        challenge = Fields.of(self._post("sign_in", request, call))
        if _is_session(challenge):
            if self._server_proof is ServerProofPolicy.REQUIRE:
                raise self._unproven(challenge)
            return challenge
        nonce = challenge.nonce()
        self._check_server(challenge, agent_id, request_id, call)
        if call.abandoned:
            raise abandoned(challenge.url)
        response = {
            **request,
            "nonce": nonce,
            "public_key": credentials.public_key_pem,
            "cert": credentials.certificate_pem,
            "signature": credentials.sign(nonce.encode()).hex(),
        }
        return Fields.of(self._post("sign_in", response, replace(call, abandonment=None)))

    def sign_out(
        self,
        agent_id: str,
        session: Session,
        abandonment: Abandonment | None = None,
        timeout: float | None = None,
    ) -> None:
        """End the session, in at most `timeout` seconds if that is less than the total timeout.

        Raises `SignInError` if the server did not confirm it.
        """
        timeouts = self._timeouts
        if timeout is not None and timeout < timeouts.total:
            timeouts = replace(timeouts, total=timeout)
        self._post("sign_out", {"agent_id": agent_id, "signature": session.token}, Call.begin(timeouts, abandonment))
        logger.debug("%s signed out at %s", agent_id, self._server_url)

    def query_online_state(
        self, agent_id: str, session: Session, agents: Sequence[str], abandonment: Abandonment | None = None
    ) -> list[Any]:
        """Ask which of ``agents`` are online; returns the server's list as it came.

        Raises `SignInError`.
        """
        request = {"agent_id": agent_id, "signature": session.token, "agents": list(agents)}
        call = Call.begin(self._timeouts, abandonment)
        return Fields.of(self._post("query_online_state", request, call)).items("data")

    def _post(self, path: str, content: Mapping[str, Any], call: Call) -> Answer:
        """Return an answer of status 200; raises `SignInError` for any other."""
        headers = {
            # Agent ids may be in any script, headers not.
            "User-Agent": f"AgentCP/{_VERSION} (AuthClient; {quote(content['agent_id'], errors='replace')})",
            "Accept": "application/json",
        }
        answer = self._transport.post(f"{self._server_url}/{path}", content, headers, call, self._verify)
        check_status(answer)
        return answer

    def _check_server(self, challenge: Fields, agent_id: str, request_id: str, call: Call) -> None:
        proof = ServerProof.offered(challenge.content)
        if proof is not None:
            verify_server_proof(proof, agent_id, request_id, self._chain, call)
        elif self._server_proof is ServerProofPolicy.REQUIRE:
            raise self._unproven(challenge)

    @staticmethod
    def _unproven(challenge: Fields) -> ServerProofError:
        return ServerProofError(
            f"{challenge.url} offers no proof of itself, which server_proof (--require-server-proof) asks for"
        )


def _is_session(challenge: Fields) -> bool:
    """Whether step 1 was answered as step 2 is, as some servers do for an agent that they know by other means."""
    content = challenge.content
    return not content.get("nonce") and not content.get("cert") and bool(content.get("signature"))


def secure_url(url: str, allow_insecure_http: bool) -> str:
    """Return a server's URL that another server named, with https for plain http, unless that is allowed or stays here.

    The SDK for Node does so, as access points name servers by plain http that answer https.
    """
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "http" or not separator or allow_insecure_http:
        return url
    try:
        here = is_loopback(urlsplit(url).hostname)
    except ValueError:
        return url
    if here:
        return url
    logger.warning("the heartbeat server %r was named by plain http: https is used instead", url[:MAX_LOGGED_URL])
    return f"https://{rest}"


def checked_url(url: str, allow_insecure_http: bool) -> str:
    """Return the server's URL as requests writes it, without its last slash; raises `URLError`."""
    example = "give one such as https://heartbeat.example"
    shown = shown_url(url)
    try:
        # The URL that is judged must be the URL that is called, so requests' own reading of it is judged.
        plain, zone = without_zone(url)
        prepared = requests.Request("POST", plain).prepare().url or ""
        parts = urlsplit(prepared)
    except (requests.RequestException, ValueError) as error:
        reason = str(error).replace(url, shown)
        raise URLError(f"the server's URL cannot work ({quoted(without_login(reason))})", example) from None
    if "@" in parts.netloc or "?" in prepared or "#" in prepared:
        raise URLError(
            f"the server's URL, for {quoted(parts.hostname or 'no host')}, has a user, a query or a fragment", example
        )
    if "%" in (parts.hostname or ""):
        raise URLError(f"the server's URL {shown!r} names a host that cannot be", example)
    if parts.scheme not in ("http", "https"):
        raise URLError(f"the server's URL {shown!r} is not https", example)
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(parts.hostname):
        raise URLError(
            f"the server's URL {shown!r} is plain http, by which anyone on the way can take the agent's session",
            "use https, or set allow_insecure_http (--insecure-allow-http) on a network that you trust",
        )
    return (prepared.replace("]", f"%25{zone}]", 1) if zone else prepared).rstrip("/")


def _chain_verifier(
    roots: Sequence[x509.Certificate] | None,
    server_name: str | None,
    any_server_name: bool,
    host: str | None,
    fetcher: IssuerFetcher,
) -> ChainVerifier | None:
    """Return what the options ask for; raises `ConfigError` if they contradict each other."""
    if roots is None:
        if server_name is not None or any_server_name or fetcher.allow_insecure_private:
            raise ConfigError(
                "server_name (--server-name), allow_insecure_any_server_name (--insecure-allow-any-server-name) and"
                " allow_insecure_private_issuers (--insecure-allow-private-issuers) are about what a root vouches for:"
                " give trust_roots (--trust-roots), or none of them"
            )
        return None
    if isinstance(roots, str | os.PathLike) or not all(isinstance(root, x509.Certificate) for root in roots):
        raise ConfigError(
            f"trust_roots is {roots!r}, which are no certificates: give agentcp_fsm.load_trust_roots(file)"
        )
    if not roots:
        raise ConfigError("trust_roots is empty: give at least one certificate, or None to ask for no root")
    if server_name is not None and any_server_name:
        raise ConfigError(
            f"server_name (--server-name) is {server_name!r} and allow_insecure_any_server_name"
            " (--insecure-allow-any-server-name) is set: give one of them"
        )
    if server_name is None and not any_server_name:
        server_name = (host or "").removesuffix(".")
    return ChainVerifier(roots, server_name, fetcher)
