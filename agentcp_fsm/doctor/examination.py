"""Examines, step by step, what an agent needs to be reachable, and says what to do about each failure.

The steps are those of a connection's beginning, each taken once and separately.  A table says which steps each one
needs.  A step whose needs are not met is skipped, and its finding says so.
"""

from __future__ import annotations

import os
import platform
import socket
import ssl
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies

from agentcp_fsm.doctor.clock import WatchedTransport, check_clock
from agentcp_fsm.doctor.finding import Failed, Finding, NotTried, Outcome, look_up, milliseconds, words
from agentcp_fsm.doctor.heartbeat import check_heartbeat
from agentcp_fsm.doctor.running import Running, heartbeat_of, sign_in_of
from agentcp_fsm.doctor.system import check_system
from agentcp_fsm.errors import AgentCPError, SignInError
from agentcp_fsm.lifecycle.session import Session
from agentcp_fsm.sign_in import (
    AccessPointClient,
    AuthClient,
    ClientOptions,
    Credentials,
    ServerProof,
    Timeouts,
    access_point_url,
)
from agentcp_fsm.sign_in.answers import Fields
from agentcp_fsm.sign_in.authorities import authorities, named_by_environment
from agentcp_fsm.sign_in.call import LONGEST_WAIT
from agentcp_fsm.sign_in.credentials import CredentialFiles, is_encrypted, load_key, opens_unasked
from agentcp_fsm.sign_in.failures import tls_fault
from agentcp_fsm.sign_in.http import is_loopback
from agentcp_fsm.sign_in.trust.certificates import common_names
from agentcp_fsm.sign_in.zones import with_zone, without_zone
from agentcp_fsm.support.lookups import is_address
from agentcp_fsm.support.messages import marked
from agentcp_fsm.support.messages import translated as _
from agentcp_fsm.support.names import folded
from agentcp_fsm.wire import codec_named

SERVER_RENEWAL = timedelta(days=7)
"""How long before its end a server's certificate is worth a warning."""
AGENT_RENEWAL = 0.1
"""The part of its whole time that an agent's certificate has left when the SDK has it renewed."""


CAN_JUDGE = hasattr(os, "geteuid")
"""Whether the system says by POSIX permissions who else can read a file."""

FindServer = Callable[[Credentials | None], str]
"""Returns the heartbeat server's URL, or raises `AgentCPError`; the credentials are None if they are useless."""


def server_at(url: str) -> FindServer:
    """Return what finds a server whose URL is known."""
    return lambda credentials: url


def server_named_by(agent_id: str, access_point: str | None, options: ClientOptions) -> FindServer:
    """Return what asks an access point for the server; the agent id names it if it is None."""

    def find(credentials: Credentials | None) -> str:
        if credentials is None:
            raise NotTried(_("the access point, which is asked for it, asks for the agent's certificate"))
        with AccessPointClient(access_point_url(agent_id, access_point), **options) as client:
            return client.config(credentials).heartbeat_server

    return find


class Examination:
    """One agent's examination.

    ``data`` is the folder that `Credentials.load` takes; without ``password``, ``ask_password`` is called if the key
    needs one.  ``timeouts`` and ``options`` are those of `AuthClient`, which judges the server.

    Signing in ends the agent's session elsewhere.  So ``find_running`` is asked first: if it returns an agent that
    runs, that one's session is looked at and left alone.  Otherwise ``may_sign_in`` decides.
    """

    def __init__(
        self,
        agent_id: str,
        data: str | os.PathLike[str],
        find_server: FindServer,
        *,
        password: str | None = None,
        ask_password: Callable[[], str] | None = None,
        codec: str = "agentcp",
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
        find_running: Callable[[], Running | None] = lambda: None,
        may_sign_in: Callable[[], bool] = lambda: True,
    ) -> None:
        self._agent_id = agent_id
        self._data = data
        self._find_server = find_server
        self._password = password
        self._ask_password = ask_password
        self._codec = codec_named(codec)
        self._timeouts = timeouts or Timeouts()
        self._options: ClientOptions = options or {}
        self._transport = WatchedTransport()
        self._files: CredentialFiles | None = None
        self._credentials: Credentials | None = None
        self._client: AuthClient | None = None
        self._server = SplitResult("", "", "", "", "")
        self._zone = ""
        self._proxy: str | None = None
        self._session: Session | None = None
        self._find_running = find_running
        self._may_sign_in = may_sign_in
        self._running: Running | None = None

    def findings(self) -> Generator[Finding, None, None]:
        """Take the steps, one for each finding asked for; the session is signed out whenever it ends."""
        well: set[str] = set()
        try:
            for name, needs, step in _STEPS:
                if missing := [need for need in needs if need not in well]:
                    says = _("not tried, because of: {steps}").format(steps=", ".join(map(_, missing)))
                    yield Finding(name, Outcome.SKIPPED, says)
                    continue
                finding = self._take(name, step)
                if finding.outcome in (Outcome.OK, Outcome.WARNING):
                    well.add(name)
                yield finding
        finally:
            if self._session is not None and self._client is not None:
                with suppress(SignInError):
                    self._client.sign_out(self._agent_id, self._session)
            self._transport.close()

    def _take(self, name: str, step: Callable[[Examination], Finding]) -> Finding:
        try:
            return step(self)
        except NotTried as reason:
            return Finding(name, Outcome.SKIPPED, _("not tried, because {reason}").format(reason=reason))
        except Failed as failure:
            return Finding(name, Outcome.FAILED, str(failure), failure.remedy, failure.facts)
        except AgentCPError as error:
            return Finding(name, Outcome.FAILED, str(error))

    def _check_system(self) -> Finding:
        return check_system(sys.platform, platform.system(), platform.python_version())

    # The agent --------------------------------------------------------------------------------------------------------

    def _check_files(self) -> Finding:
        files = self._files = CredentialFiles.of(self._data, self._agent_id)
        files.read()
        facts = {"key": str(files.key), "certificate": str(files.certificate)}
        if dangers := files.dangers():
            return Finding("files", Outcome.WARNING, "; ".join(dangers), facts=facts)
        says = _("{key} and .crt, readable by their owner only") if CAN_JUDGE else _("{key} and .crt")
        return Finding("files", Outcome.OK, says.format(key=files.key), facts=facts)

    def _check_key(self) -> Finding:
        assert self._files is not None
        data = self._files.read()[0]
        encrypted = is_encrypted(data)
        if self._password is None and self._ask_password is not None and not opens_unasked(data):
            self._password = self._ask_password()
        curve = load_key(data, str(self._files.key), self._password).curve.name
        opened = _("opened with the password") if self._password else _("opened with the SDK's empty seed password")
        kind = opened if encrypted else _("not encrypted")
        return Finding(
            "key", Outcome.OK, f"{_CURVES.get(curve, curve)}, {kind}", facts={"curve": curve, "encrypted": encrypted}
        )

    def _check_certificate(self) -> Finding:
        credentials = Credentials.load(self._data, self._agent_id, self._password)
        self._credentials = credentials
        certificate = x509.load_pem_x509_certificate(credentials.certificate_pem.encode())
        names = common_names(certificate.subject)
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        left = end - datetime.now(UTC)
        issuer = certificate.issuer.rfc4514_string()
        self_signed = certificate.issuer == certificate.subject
        facts = {"names": names, "issuer": issuer, "not_after": end.isoformat(), "self_signed": self_signed}
        by = _("self-signed, for local servers") if self_signed else _("issued by {issuer}").format(issuer=issuer)
        says = _("the key's, {issued}, valid until {end} ({days} days)").format(
            issued=by, end=f"{end:%Y-%m-%d}", days=left.days
        )
        if folded(self._agent_id) not in map(folded, names):
            says = _("its common name is {names}, not {agent_id}").format(
                names=", ".join(names) or _("missing"), agent_id=self._agent_id
            )
            return Finding("certificate", Outcome.WARNING, says, _("get a certificate for this agent id"), facts)
        if left < (end - begin) * AGENT_RENEWAL:
            return Finding("certificate", Outcome.WARNING, says, _("have it renewed by its authority now"), facts)
        return Finding("certificate", Outcome.OK, says, facts=facts)

    # The way to the server --------------------------------------------------------------------------------------------

    def _check_server(self) -> Finding:
        url = self._find_server(self._credentials)
        self._client = AuthClient(
            url,
            timeouts=self._timeouts,
            transport=self._transport,
            **self._options,
        )
        plain, self._zone = without_zone(url)
        self._server = urlsplit(plain)
        proxies = {} if self._zone or is_loopback(self._server.hostname) else get_environ_proxies(url)
        self._proxy = proxies.get(self._server.scheme) or proxies.get("all")
        facts = {"url": url, "proxy": self._proxy is not None}
        says = url if self._proxy is None else _("{url}, through the proxy that the environment names").format(url=url)
        return Finding("server", Outcome.OK, says, facts=facts)

    @property
    def _address(self) -> tuple[str, int]:
        host = self._server.hostname
        assert host is not None
        return with_zone(host, self._zone), self._server.port or (443 if self._server.scheme == "https" else 80)

    def _check_name(self) -> Finding:
        host, port = self._address
        if self._proxy is not None:
            return Finding("name", Outcome.OK, _("{host} is looked up by the proxy").format(host=host))
        if is_address(host):
            return Finding("name", Outcome.OK, _("{host} is an address").format(host=host), facts={"addresses": [host]})
        started = time.monotonic()
        addresses = look_up(host, port, socket.SOCK_STREAM)
        took = time.monotonic() - started
        says = _("{host} is {addresses} (found in {took})").format(
            host=host, addresses=", ".join(addresses), took=milliseconds(took)
        )
        return Finding("name", Outcome.OK, says, facts={"addresses": addresses, "seconds": took})

    def _check_connection(self) -> Finding:
        if self._proxy is not None:
            return Finding("connection", Outcome.OK, _("is made by the proxy"))
        started = time.monotonic()
        with self._connect() as connection:
            took = time.monotonic() - started
            address = str(connection.getpeername()[0])
        says = _("to {address} port {port} in {took}").format(
            address=address, port=self._address[1], took=milliseconds(took)
        )
        return Finding("connection", Outcome.OK, says, facts={"address": address, "seconds": took})

    def _connect(self) -> socket.socket:
        host, port = self._address
        try:
            return socket.create_connection((host, port), min(self._timeouts.connect, LONGEST_WAIT))
        except OSError as error:
            raise Failed(
                _("no connection to {host} port {port}: {reason}").format(host=host, port=port, reason=words(error)),
                _("check that the server runs, its URL's port, and firewalls on the way"),
            ) from error

    def _check_tls(self) -> Finding:
        if self._server.scheme == "http":
            if is_loopback(self._server.hostname):
                says = _("plain http, which stays on this machine")
                return Finding("TLS", Outcome.OK, says, facts={"version": None})
            says = _("plain http: everybody on the way can read the agent's session")
            return Finding("TLS", Outcome.WARNING, says, _("use the server's https URL"), {"version": None})
        if self._proxy is not None:
            return Finding("TLS", Outcome.OK, _("is judged by the sign-in, through the proxy"))
        host, port = self._address
        host = self._server.hostname or host  # without its zone
        given = self._options.get("verify", True)
        verify = authorities(given)
        path = Path(DEFAULT_CA_BUNDLE_PATH if verify is True else verify)
        context = ssl.create_default_context(capath=path) if path.is_dir() else ssl.create_default_context(cafile=path)
        try:
            with self._connect() as connection, context.wrap_socket(connection, server_hostname=host) as tls:
                version, certificate = tls.version(), tls.getpeercert()
        except ssl.SSLCertVerificationError as error:
            remedy = _TLS_REMEDIES.get(error.verify_code, _OTHER_TLS_REMEDY)
            says = _("the server's certificate cannot be trusted: {reason}").format(reason=error.verify_message)
            raise Failed(says, _(remedy)) from error
        except OSError as error:
            why = tls_fault(error) if isinstance(error, ssl.SSLError) else words(error)
            raise Failed(
                _("no TLS with {host} port {port}: {reason}").format(host=host, port=port, reason=why),
                _("check that this port speaks TLS: for plain http, the URL begins with http"),
            ) from error
        assert certificate is not None
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        left = end - datetime.now(UTC)
        says = _("{version}, certificate of {host} until {end} ({days} days)").format(
            version=version, host=host, end=f"{end:%Y-%m-%d}", days=left.days
        )
        if given is True and verify is not True:
            named = named_by_environment()[0]
            says = _("{finding}, by the authorities that {variable} names").format(finding=says, variable=named)
        facts = {"version": version, "not_after": end.isoformat(), "authorities": str(path)}
        if left < SERVER_RENEWAL:
            return Finding("TLS", Outcome.WARNING, says, _("tell the server's operator to renew it"), facts)
        return Finding("TLS", Outcome.OK, says, facts=facts)

    # The session ------------------------------------------------------------------------------------------------------

    def _check_sign_in(self) -> Finding:
        assert self._client is not None
        assert self._credentials is not None
        self._running = self._find_running()
        if self._running is not None:
            return sign_in_of(self._running)
        if not self._may_sign_in():
            raise NotTried(_("it would end the agent's session, if it is connected elsewhere: allow it by --sign-in"))
        started = time.monotonic()
        session = self._session = self._client.sign_in(self._credentials)
        took = time.monotonic() - started
        proof = ServerProof.offered(Fields.of(self._transport.exchanges[-2].answer).content)
        if proof is None:
            proven = _("the server offers no proof of itself")
        elif self._options.get("trust_roots") is None:
            proven = _("the server's proof holds, but no root was asked to vouch for it")
        else:
            proven = _("the server proved itself, and a trusted root vouches for it")
        facts = {
            "seconds": took,
            "proof_offered": proof is not None,
            "proof_has_root": proof is not None and self._options.get("trust_roots") is not None,
            "heartbeats_to": f"{session.host}:{session.port}",
        }
        says = _("in {took}; {proven}").format(took=milliseconds(took), proven=proven)
        return Finding("sign-in", Outcome.OK, says, facts=facts)

    def _check_heartbeat(self) -> Finding:
        if self._running is not None:
            return heartbeat_of(self._running)
        assert self._session is not None
        return check_heartbeat(self._agent_id, self._session, self._codec)

    def _check_sign_out(self) -> Finding:
        if self._running is not None:
            return Finding("sign-out", Outcome.OK, _("the agent that runs stays signed in"))
        assert self._client is not None
        session, self._session = self._session, None
        assert session is not None
        self._client.sign_out(self._agent_id, session)
        return Finding("sign-out", Outcome.OK, _("the session is ended"))

    def _check_clock(self) -> Finding:
        return check_clock(self._transport.exchanges)


_STEPS: tuple[tuple[str, tuple[str, ...], Callable[[Examination], Finding]], ...] = (
    ("system", (), Examination._check_system),
    ("files", (), Examination._check_files),
    ("key", ("files",), Examination._check_key),
    ("certificate", ("key",), Examination._check_certificate),
    ("server", (), Examination._check_server),
    ("name", ("server",), Examination._check_name),
    ("connection", ("name",), Examination._check_connection),
    ("TLS", ("connection",), Examination._check_tls),
    ("sign-in", ("certificate", "TLS"), Examination._check_sign_in),
    ("heartbeat", ("sign-in",), Examination._check_heartbeat),
    ("sign-out", ("sign-in",), Examination._check_sign_out),
    ("clock", (), Examination._check_clock),
)
"""The name of each step, those that it needs, and what it does."""

STEPS = tuple(step[0] for step in _STEPS)
"""The names of the steps, in their order."""

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

_TLS_REMEDIES = {
    9: marked("it is not valid yet: check this machine's clock"),
    10: marked("it has expired: check this machine's clock; if that is right, tell the server's operator"),
    62: marked("it is another host's: check the server's URL"),
    64: marked("it is another host's: check the server's URL"),
}
"""By OpenSSL's verify code."""
_OTHER_TLS_REMEDY = marked("if it is of a private certificate authority, give that one's file (--ca-file, verify=…)")
