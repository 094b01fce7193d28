"""Issuer certificates, fetched from where a certificate says they are (AIA, CA Issuers: RFC 5280, 4.2.2.1).

The server that answers a sign-in chooses these URLs, so a fetch must be harmless wherever it leads: http(s) only, no
redirect, no proxy, no cookie, no address inside the caller's own network; few bytes, little time, within the bounds of
the sign-in.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3
from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from agentcp_fsm.errors import FailureKind, ServerProofError
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.failures import FAILURES, abandoned, failure
from agentcp_fsm.sign_in.http import MAX_ANSWER, patient, present, read_body
from agentcp_fsm.sign_in.names import look_up
from agentcp_fsm.sign_in.trust.certificates import UNREADABLE
from agentcp_fsm.support.addresses import is_public
from agentcp_fsm.support.lookups import addresses_of
from agentcp_fsm.support.quoting import quoted

FETCH_TIME = 5.0
"""Seconds that one fetch may take, if the sign-in has that much left."""
MAX_ADDRESSES = 3
"""How many addresses of one host are tried."""
MAX_CERTIFICATES = 4
"""How many certificates of one answer are looked at: one is usual, a few let an authority change its key."""

_CANNOT_CONNECT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


@dataclass(frozen=True, slots=True)
class IssuerFetcher:
    """Fetches issuer certificates; what it returns is unverified."""

    verify: bool | str
    """How an https host's TLS certificate is checked: True, or the path of a CA file or folder."""
    allow_insecure_private: bool = False
    """Whether addresses of private networks, of loopback and the like may be asked."""

    def fetch(self, url: str, call: Call) -> list[x509.Certificate]:
        """Return the certificates, PEM or one in DER, that are at `url`.

        Raises `SignInError` of kind UNPROVEN_SERVER for a URL that is not to be asked or an answer without certificate,
        and of kind NETWORK, TIMEOUT or ABANDONED.
        """
        limits = replace(call.timeouts, total=FETCH_TIME)
        call = replace(call, timeouts=limits, deadline=min(call.deadline, time.monotonic() + FETCH_TIME))
        place = quoted(url)
        try:
            status, body = self._get(url, call)
        except FAILURES as error:
            found = failure(f"the issuer of the server's certificate, {place}", call, error)
            if found.kind is FailureKind.TOO_LARGE:
                raise ServerProofError(f"what is at {place} is too large for an issuer's certificate") from error
            raise found from error
        if status != 200:
            # A redirect could lead anywhere; an authority's URL is fixed for years in what it signed.
            raise ServerProofError(f"its certificate's issuer is not at {place}, which answers HTTP status {status}")
        if len(body) > MAX_ANSWER:
            raise ServerProofError(
                f"what is at {place} is larger than {MAX_ANSWER} bytes, too large for an issuer's certificate"
            )
        try:
            if b"-----BEGIN" in body:
                return x509.load_pem_x509_certificates(body)[:MAX_CERTIFICATES]
            return [x509.load_der_x509_certificate(body)]
        except UNREADABLE as error:
            raise ServerProofError(f"what is at {place} is no issuer's certificate") from error

    def _get(self, url: str, call: Call) -> tuple[int, bytes]:
        try:
            parts = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError as error:
            raise ServerProofError(
                f"its certificate's issuer is said to be at {quoted(url)}, which is no URL"
            ) from error
        if parts.scheme not in ("http", "https") or not parts.host or parts.auth:
            raise ServerProofError(
                f"its certificate's issuer is said to be at {quoted(url) or 'nowhere'}: only http and https are asked"
            )
        host = parts.host.strip("[]")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = self._allowed(host, _look_up(host, port, call), url)
        refusal: Exception | None = None
        for address in addresses[:MAX_ADDRESSES]:
            if call.abandoned:
                raise abandoned(quoted(url))
            try:
                # To the very address that was judged: a second look-up could find another.
                with self._pool(parts.scheme, host, address, port) as pool, present(call):
                    patience = urllib3.Timeout(
                        connect=call.patience(call.timeouts.connect), read=call.patience(call.timeouts.read)
                    )
                    answer = pool.urlopen(
                        "GET",
                        parts.request_uri,
                        headers={"Host": parts.netloc or host, "Accept-Encoding": "identity"},
                        redirect=False,
                        retries=False,
                        timeout=patience,
                        preload_content=False,
                        decode_content=False,
                    )
                    with closing(answer):
                        return answer.status, read_body(answer)
            except _CANNOT_CONNECT as error:
                refusal = error
        assert refusal is not None
        raise refusal

    def _allowed(self, host: str, addresses: Sequence[str], url: str) -> list[str]:
        allowed = [address for address in addresses if self.allow_insecure_private or is_public(address)]
        if not allowed:
            raise ServerProofError(
                f"its certificate's issuer is said to be at {quoted(url)}, which is inside a private network"
                f" ({host} is {addresses[0]}); only allow_insecure_private_issuers (--insecure-allow-private-issuers)"
                " lets such addresses be asked"
            )
        return allowed

    @contextmanager
    def _pool(self, scheme: str, host: str, address: str, port: int) -> Iterator[urllib3.HTTPConnectionPool]:
        pool: urllib3.HTTPConnectionPool
        if scheme == "https":
            authorities = DEFAULT_CA_BUNDLE_PATH if self.verify is True else str(self.verify)
            kind = "ca_cert_dir" if Path(authorities).is_dir() else "ca_certs"
            named: dict[str, Any] = {kind: authorities, "server_hostname": host}
            pool = urllib3.HTTPSConnectionPool(address, port, cert_reqs="CERT_REQUIRED", **named)
        else:
            pool = urllib3.HTTPConnectionPool(address, port)
        pool.ConnectionCls = patient(pool.ConnectionCls)
        with closing(pool):
            yield pool


def _look_up(host: str, port: int, call: Call) -> Sequence[str]:
    """Return a host's addresses; raises OSError or TimeoutError."""
    try:
        with present(call):
            found = look_up(host, port, call)
    except UnicodeError:
        raise OSError(f"{host} is no host's name") from None
    if not found:
        raise OSError(f"{host} has no address")
    return addresses_of(found)
