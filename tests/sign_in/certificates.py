"""Keys and certificates made on the fly."""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass(frozen=True, slots=True)
class Identity:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)

    def sign_hex(self, text: str) -> str:
        return self.key.sign(text.encode(), ec.ECDSA(SHA256())).hex()


def damaged_pem(certificate: x509.Certificate, position: int, byte: int) -> str:
    """Replace one byte of the certificate's DER; the position counts round."""
    damaged = bytearray(certificate.public_bytes(Encoding.DER))
    damaged[position % len(damaged)] = byte
    return ssl.DER_cert_to_PEM_cert(bytes(damaged))


VERSION_POSITION = 12
"""Where the DER of a certificate made here holds its version, of which cryptography complains in its own way."""


def key_pem(key: ec.EllipticCurvePrivateKey, password: str = "") -> str:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def make_identity(
    name: str = "alice.agentid.pub",
    issuer: Identity | None = None,
    *,
    curve: ec.EllipticCurve | None = None,
    authority: bool = False,
    path_length: int | None = None,
    valid_from: timedelta = timedelta(days=-1),
    valid_until: timedelta = timedelta(days=1),
    key_usage: x509.KeyUsage | None = None,
    strange_extension: bool = False,
    names: Sequence[x509.GeneralName] | None = (LOOPBACK,),
    issuer_urls: Sequence[str] = (),
    more: Sequence[x509.ExtensionType] = (),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Identity:
    """Make a key and its certificate: valid for loopback as a TLS server, self-signed unless there is an issuer.

    ``names`` are its alternative names, None for no such extension; ``issuer_urls`` say where its issuer is (AIA, CA
    Issuers); ``more`` are further extensions.
    """
    key = key or ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid_from)
        .not_valid_after(now + valid_until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if issuer_urls:
        builder = builder.add_extension(places(issuer_urls), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    if issuer is not None:  # Python 3.13 checks strictly, and asks for the issuer's key to be named
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(authority_key, critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if authority and key_usage is None:
        key_usage = usage(key_cert_sign=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if strange_extension:
        builder = builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), critical=True
        )
    return Identity(key, builder.sign(issuer.key if issuer else key, SHA256()))


def places(issuer_urls: Sequence[str]) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url))
            for url in issuer_urls
        ]
    )


def usage(*, key_cert_sign: bool, digital_signature: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
