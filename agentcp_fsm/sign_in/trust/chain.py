"""Whether a trusted root vouches for a server's certificate, and whether that certificate is the server's.

Paths are built and judged by cryptography's verifier: signatures, dates, CA flags, path lengths, name constraints and
critical extensions, up to a root, which is judged too.  This module adds what the verifier does not do:

- find issuers that the server did not send along (`agentcp_fsm.sign_in.trust.issuers`);
- keep from it what does not lead to a root: it would follow each path of hostile certificates before it says so;
- check a key's usage, which the verifier leaves to its caller;
- fall back on the common name, which the verifier does not know: the SDK's own authority is asked for certificates that
  have no other name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store

from agentcp_fsm.errors import ConfigError, FailureKind, ServerProofError, SignInError
from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.failures import abandoned, failure
from agentcp_fsm.sign_in.trust.certificates import UNREADABLE, common_names
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from agentcp_fsm.support.log import logger_of
from agentcp_fsm.support.names import folded
from agentcp_fsm.support.quoting import quoted

logger = logger_of(__name__)

MAX_SENT = 8
"""How many certificates a server may send; more than any chain needs."""
MAX_FETCHES = 4
"""How many issuers are asked for one proof, with or without success."""
MAX_KNOWN = 16
"""How many issuers are remembered."""
MAX_SIGNATURES = 32
"""How many signatures are verified to find out where the certificates lead: far more than honest ones ask for."""
MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT = 2**32
"""Above these, as above those of other libraries, it is an attack: one signature takes up to 6 ms of processor time."""
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""Of an issuer's key; the verifier takes no others, some of which cost several times as much."""

_PURPOSES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def _may_sign(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("its key usage is not to sign")


def _may_issue(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("its key usage is not to sign certificates")


def _may_serve(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    if usage is not None and not _PURPOSES & set(usage):
        raise ValueError("its extended key usage is not that of a server")


_ANY = Criticality.AGNOSTIC
_AUTHORITY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _ANY, None)
    .may_be_present(x509.KeyUsage, _ANY, _may_issue)
    .may_be_present(x509.ExtendedKeyUsage, _ANY, _may_serve)
)
_SERVER = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.KeyUsage, _ANY, _may_sign)
    .may_be_present(x509.ExtendedKeyUsage, _ANY, _may_serve)
)
_NAMED_SERVER = _SERVER.require_present(x509.SubjectAlternativeName, _ANY, None)


class ChainVerifier:
    """Verifies chains to the same roots; threads and agents may share it.

    ``server_name`` is the DNS name or IP address that a certificate must have; None: any certificate will do.
    Issuers that were fetched for a chain that held are remembered, as what a server might have sent along: nothing is
    trusted because it is remembered.
    """

    def __init__(self, roots: Sequence[x509.Certificate], server_name: str | None, fetcher: IssuerFetcher) -> None:
        self._roots = tuple(roots)
        self._store = Store(list(roots))
        self._server_name = server_name
        self._subject = None if server_name is None else self._checked_name(server_name)
        self._fetcher = fetcher
        self._known: tuple[x509.Certificate, ...] = ()

    def verify(self, sent: Sequence[x509.Certificate], call: Call) -> None:
        """Verify the first certificate with the help of the others; fetches missing issuers within the call's bounds.

        Raises `SignInError`: UNPROVEN_SERVER, or NETWORK, TIMEOUT or ABANDONED when an issuer could not be fetched.
        """
        if len(sent) > MAX_SENT:
            raise ServerProofError(f"it sends {len(sent)} certificates, more than {MAX_SENT}")
        try:
            for each in sent:
                _check_key(each)
            self._verify(sent, _Signatures(call))
        except TimeoutError as error:
            raise failure("the server's proof", call, error) from error
        except SignInError:
            raise
        except UNREADABLE as error:
            raise ServerProofError(f"a certificate of its chain cannot be read ({_reason(error)})") from error

    def _verify(self, sent: Sequence[x509.Certificate], signatures: _Signatures) -> None:
        now = datetime.now(UTC)
        server, *others = sent
        others += [each for each in self._known if each.not_valid_after_utc >= now]
        asked: set[str] = set()
        verifier = self._policy(now, _SERVER).build_client_verifier()
        chain: list[x509.Certificate] = []
        while not chain:
            signatures.keep_to_call()
            why = "they lead to none"
            issuers = self._issuers(server, others, signatures)
            if issuers is not None:
                try:
                    chain = verifier.verify(server, issuers).chain
                except UNREADABLE as error:
                    why = _reason(error)
            if not chain:  # not above, where what fails now would have that error for its cause
                others += self._missing_issuers(server, others, asked, signatures, why)
        self._check_name(chain, now)
        fetched = [each for each in chain[1:-1] if each not in (*sent, *self._known)]
        if fetched:
            self._known = (*fetched, *self._known)[:MAX_KNOWN]

    def _checked_name(self, name: str) -> x509.DNSName | x509.IPAddress:
        try:
            return x509.IPAddress(ip_address(name))
        except ValueError:
            pass
        try:
            PolicyBuilder().store(self._store).build_server_verifier(subject := x509.DNSName(name))
        except ValueError as error:
            raise ConfigError(
                f"no certificate can have the name {name!r} ({error}): give the one it has as server_name"
                " (--server-name)"
            ) from error
        return subject

    def _policy(self, now: datetime, server_policy: ExtensionPolicy) -> PolicyBuilder:
        policy = PolicyBuilder().store(self._store).time(now)
        return policy.extension_policies(ca_policy=_AUTHORITY, ee_policy=server_policy)

    def _missing_issuers(
        self,
        server: x509.Certificate,
        others: Sequence[x509.Certificate],
        asked: set[str],
        signatures: _Signatures,
        why: str,
    ) -> list[x509.Certificate]:
        """Fetch issuers of certificates between the server's and where the chain breaks off; raises if there are none.

        Only what really signed such a certificate is returned, so a fetched certificate is one step, and never a guess.
        """
        failure: SignInError | None = None
        for certificate in self._ends(server, others, signatures):
            urls = _issuer_urls(certificate)
            if not urls and failure is None:
                failure = ServerProofError(_end_of_chain(certificate))
            for url in urls:
                if url in asked:
                    continue
                if len(asked) >= MAX_FETCHES:
                    raise ServerProofError(f"{MAX_FETCHES} issuers were asked, and none led to a trusted root")
                asked.add(url)
                try:
                    fetched = self._fetcher.fetch(url, signatures.call)
                except SignInError as error:
                    if error.kind is FailureKind.ABANDONED:
                        raise
                    failure = error
                    continue
                for each in fetched:
                    _check_key(each)
                if found := [each for each in fetched if each not in others and signatures.link(certificate, each)]:
                    return found
                failure = ServerProofError(
                    f"what is at {quoted(url)} did not issue the certificate of {_subject(certificate)}"
                )
        raise failure or ServerProofError(f"no trusted root vouches for its certificate ({why})")

    def _issuers(
        self, server: x509.Certificate, others: Sequence[x509.Certificate], signatures: _Signatures
    ) -> list[x509.Certificate] | None:
        """Return the issuers by way of which the server's certificate leads to a root; None: it leads to none."""
        if server in self._roots:
            return []
        issuers_of = dict(_upwards(server, others, signatures))
        leading = [each for each in issuers_of if any(signatures.link(each, root) for root in self._roots)]
        for issuer in leading:  # which grows meanwhile
            leading += [each for each in issuers_of if issuer in issuers_of[each] and each not in leading]
        return [each for each in leading if each != server] if server in leading else None

    def _ends(
        self, server: x509.Certificate, others: Sequence[x509.Certificate], signatures: _Signatures
    ) -> Iterator[x509.Certificate]:
        """Yield the certificates, from the server's up, whose issuer is neither there nor a root."""
        for certificate, issuers in _upwards(server, others, signatures):
            if not issuers and not any(signatures.link(certificate, root) for root in self._roots):
                yield certificate

    def _check_name(self, chain: Sequence[x509.Certificate], now: datetime) -> None:
        server, *others = chain
        if self._subject is None or self._server_name is None or not others:
            return  # no name is asked for, or the very certificate is trusted, and no other could be in its place
        names = _alternative_names(server)
        if names is None:
            # Name constraints do not restrict common names, so an authority that has them cannot vouch for one.
            constrained = any(
                isinstance(each.value, x509.NameConstraints) for issuer in others for each in issuer.extensions
            )
            names = [] if constrained else common_names(server.subject)
            if folded(self._server_name) in map(folded, names):
                return
        else:
            try:
                self._policy(now, _NAMED_SERVER).build_server_verifier(self._subject).verify(server, others)
            except UNREADABLE as error:
                logger.debug("its certificate is not that of %s: %s", self._server_name, _reason(error))
            else:
                return
        raise ServerProofError(
            f"its certificate is that of {quoted(', '.join(names)) or 'nobody'}, not of {self._server_name} (if the"
            " server is right to call itself that, give it as server_name, --server-name)"
        )


def _upwards(
    server: x509.Certificate, others: Sequence[x509.Certificate], signatures: _Signatures
) -> Iterator[tuple[x509.Certificate, list[x509.Certificate]]]:
    """Yield the certificates, from the server's up, each with its issuers among the others."""
    reached = [server]
    for certificate in reached:  # which grows meanwhile
        issuers = [each for each in others if each != certificate and signatures.link(certificate, each)]
        reached += [each for each in issuers if each not in reached]
        yield certificate, issuers


def _alternative_names(certificate: x509.Certificate) -> list[str] | None:
    """Return its alternative names as text; None: it has no such extension."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return [str(name.value) for name in names]


def _subject(certificate: x509.Certificate) -> str:
    try:
        return _text(certificate.subject)
    except UNREADABLE:
        return "somebody whose name cannot be read"


def _text(name: x509.Name) -> str:
    return quoted(name.rfc4514_string()) or "nobody"


def _end_of_chain(certificate: x509.Certificate) -> str:
    subject, issuer = _text(certificate.subject), _text(certificate.issuer)
    if certificate.issuer == certificate.subject:
        return f"its chain ends at {issuer}, which is no trusted root"
    return (
        f"its chain breaks off at {subject}, whose issuer {issuer} is no trusted root, was not sent along, and is not"
        " said to be anywhere else"
    )


def _issuer_urls(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except UNREADABLE:  # it has none, or none that can be read
        return []
    return [
        each.access_location.value
        for each in access
        if each.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


@dataclass(frozen=True, slots=True)
class _Signatures:
    """Answers which certificate of one proof signed which other, within the bounds of the call."""

    call: Call
    _links: dict[tuple[x509.Certificate, x509.Certificate], bool] = field(default_factory=dict)

    def link(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether the issuer's key signed the certificate, and it names the issuer.

        Raises TimeoutError, or `SignInError`: UNPROVEN_SERVER if that was asked too often, or ABANDONED.
        """
        if not _names(certificate, issuer):
            return False
        pair = certificate, issuer
        if pair not in self._links:
            self.keep_to_call()
            if len(self._links) >= MAX_SIGNATURES:
                raise ServerProofError(
                    f"more than {MAX_SIGNATURES} signatures would be needed to follow its certificates"
                )
            try:
                certificate.verify_directly_issued_by(issuer)
            except UNREADABLE:  # it did not, or cannot be checked
                self._links[pair] = False
            else:
                self._links[pair] = True
        return self._links[pair]

    def keep_to_call(self) -> None:
        """Raise TimeoutError at the end of the call's time, and `SignInError` of kind ABANDONED."""
        if self.call.abandoned:
            raise abandoned("the server's proof")
        self.call.patience(0)


def _names(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        return certificate.issuer == issuer.subject
    except UNREADABLE:  # a name that cannot be read
        return False


def _check_key(certificate: x509.Certificate) -> None:
    """Refuse a key whose signatures take long to verify; one that cannot be read verifies none."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return
    if isinstance(key, dsa.DSAPublicKey):
        raise ServerProofError(
            f"the key of {_subject(certificate)} is of DSA, which no certificate should use any more"
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        raise ServerProofError(
            f"the key of {_subject(certificate)} is on the curve {key.curve.name}, and an authority's on one of"
            f" {', '.join(CURVES)}"
        )
    if isinstance(key, rsa.RSAPublicKey) and (
        key.key_size > MAX_RSA_BITS or key.public_numbers().e >= MAX_RSA_EXPONENT
    ):
        raise ServerProofError(
            f"the RSA key of {_subject(certificate)} has {key.key_size} bits and an exponent of"
            f" {key.public_numbers().e.bit_length()}, when {MAX_RSA_BITS} and 32 are more than enough"
        )


def _reason(why: Exception) -> str:
    return quoted(str(why).partition(" (encountered")[0].removeprefix("validation failed: "))
