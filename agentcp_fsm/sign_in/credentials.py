"""An agent's private key and certificate, as the SDK stores them (protocol, "Credentials on disk")."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from agentcp_fsm.errors import CredentialsError, PasswordRequiredError
from agentcp_fsm.sign_in.key_cost import excess
from agentcp_fsm.support import files
from agentcp_fsm.support.quoting import quoted

logger = logging.getLogger(__name__)

MAX_AGENT_ID = 251
"""Bytes of UTF-8 that an agent id has at most: with ".key" it is a file's name, which has 255."""
IDENTITIES = ("agentcp", "AIDs")
"""Where the SDK keeps identities below its data folder."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an agent signs in with.  Made by `load` or `from_pem`, which check that the parts work together."""

    agent_id: str
    certificate_pem: str
    """The agent's own certificate, PEM, without the chain that may have followed it."""
    public_key_pem: str
    """The key's public half: PEM, SubjectPublicKeyInfo."""
    _private_key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)
    _source: _Source | None = field(default=None, repr=False, compare=False)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], agent_id: str, password: str | None = None) -> Self:
        """Read ``<agent id>.key`` and ``<agent id>.crt``.

        ``directory`` is the SDK's data folder, which holds them in ``agentcp/AIDs/<agent id>/private/certs/``, or any
        folder on that way, down to that of the two files.  ``password`` is the seed password: it is tried as it is, and
        then as the SDK uses it, which encrypts keys with `seed_hash`; without one, that of the empty seed is tried.

        Raises `CredentialsError` for an impossible agent id, a missing or unreadable file, and all that `from_pem`
        refuses.
        """
        return cls._loaded(CredentialFiles.of(directory, agent_id), agent_id, password)

    @classmethod
    def _loaded(cls, found: CredentialFiles, agent_id: str, password: str | None) -> Self:
        source = _Source(found, password, found.version())  # first: what is changed meanwhile is read again
        key_data, certificate_data = found.read()
        for danger in found.dangers():
            logger.warning("%s", danger)
        loaded = cls._checked(agent_id, key_data, str(found.key), certificate_data, str(found.certificate), password)
        return replace(loaded, _source=source)

    def renewed(self) -> Self:
        """Return what the files hold that these were loaded from, if they were changed since; else these.

        These, too, with a warning, if the files cannot be used, such as in the midst of a renewal.
        """
        if (source := self._source) is None or source.files.version() == source.version:
            return self
        try:
            renewed = self._loaded(source.files, self.agent_id, source.password)
        except CredentialsError as error:
            logger.warning("%s: the changed files are not used, but what they held before: %s", self.agent_id, error)
            return self
        logger.info("%s: the certificate or the key was renewed", self.agent_id)
        return renewed

    @classmethod
    def from_pem(
        cls, agent_id: str, key_pem: str | bytes, certificate_pem: str | bytes, password: str | None = None
    ) -> Self:
        """Take key and certificate from memory; ``certificate_pem`` may hold a chain.

        Raises `CredentialsError` for an impossible agent id, a wrong or missing password, an unreadable key or one that
        is no EC key, an unreadable certificate or one that is not the key's, has expired or is not valid yet.
        """
        _check_agent_id(agent_id)
        return cls._checked(
            agent_id, _as_bytes(key_pem), "the given key", _as_bytes(certificate_pem), "the given certificate", password
        )

    @classmethod
    def _checked(
        cls,
        agent_id: str,
        key_data: bytes,
        key_name: str,
        certificate_data: bytes,
        certificate_name: str,
        password: str | None,
    ) -> Self:
        private_key = load_key(key_data, key_name, password)
        public_key_pem = _public_pem(private_key.public_key())
        certificate = _certificate_of(public_key_pem, certificate_data, certificate_name, key_name)
        now = datetime.now(UTC)
        if now > certificate.not_valid_after_utc:
            raise CredentialsError(
                f"{certificate_name} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC:"
                " have the certificate renewed by the agent's certificate authority"
            )
        if now < certificate.not_valid_before_utc:
            raise CredentialsError(
                f"{certificate_name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC:"
                " check this machine's clock"
            )
        certificate_pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
        return cls(agent_id, certificate_pem, public_key_pem, private_key)

    def sign(self, data: bytes) -> bytes:
        """Return the ECDSA-SHA256 signature of ``data``, DER-encoded, on the key's own curve."""
        return self._private_key.sign(data, ec.ECDSA(SHA256()))


@dataclass(frozen=True, slots=True)
class CredentialFiles:
    """Where an agent's key and certificate are."""

    key: Path
    certificate: Path
    places: tuple[Path, ...] = field(default=(), compare=False)
    """The folders that were looked at, if they were looked for."""

    @classmethod
    def of(cls, directory: str | os.PathLike[str], agent_id: str) -> Self:
        """Find them as `Credentials.load` does; raises `CredentialsError` for an impossible agent id.

        The first folder that has one of them is theirs; if none has, the first that exists.
        """
        _check_agent_id(agent_id)
        key, certificate = f"{agent_id}.key", f"{agent_id}.crt"
        way = (*IDENTITIES, agent_id, "private", "certs")
        places = tuple(Path(directory, *way[given:]) for given in range(len(way) + 1))
        folder = next(
            (place for place in places if files.is_there(place / key) or files.is_there(place / certificate)),
            next((place for place in places if files.is_there(place)), places[-1]),
        )
        return cls(folder / key, folder / certificate, places)

    @classmethod
    def below(cls, directory: str | os.PathLike[str], agent_id: str) -> Self:
        """Name them as the SDK does below its folder of identities; raises `CredentialsError` for an impossible id."""
        _check_agent_id(agent_id)
        folder = Path(directory) / agent_id / "private" / "certs"
        return cls(folder / f"{agent_id}.key", folder / f"{agent_id}.crt")

    def read(self) -> tuple[bytes, bytes]:
        """Return what they hold; raises `CredentialsError` if one is missing or cannot be read."""
        return _read(self.key, self.places), _read(self.certificate, self.places)

    def version(self) -> tuple[object, ...]:
        """Return what differs once one of the files is changed or replaced."""
        return files.version(self.key), files.version(self.certificate)

    def dangers(self) -> list[str]:
        """Say what other users of this machine could do to the files, and the remedy; empty if nothing."""
        return [
            *files.readable_by_others(self.key, "the private key"),
            *files.changeable_by_others(self.key, self.certificate),
        ]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where credentials are from."""

    files: CredentialFiles
    password: str | None
    version: tuple[object, ...]


def _check_agent_id(agent_id: str) -> None:
    """Refuse an agent id that would name another file than its own, or that the wire cannot carry."""
    if not agent_id:
        raise CredentialsError("the agent id is empty: give the agent's name, such as alice.agentid.pub")
    if not agent_id.isprintable() or "/" in agent_id or "\\" in agent_id or agent_id in (".", ".."):
        raise CredentialsError(
            f"the agent id {quoted(agent_id)!r} cannot be a file's name: give the agent's name, such as"
            " alice.agentid.pub"
        )
    if len(agent_id.encode()) > MAX_AGENT_ID:
        raise CredentialsError(
            f"the agent id {quoted(agent_id)!r} is longer than {MAX_AGENT_ID} bytes, too long for a file's name: give"
            " the agent's name, such as alice.agentid.pub"
        )


def _read(file: Path, places: tuple[Path, ...]) -> bytes:
    try:
        return files.read_small(file)
    except (FileNotFoundError, NotADirectoryError):
        looked = f" (looked in {', '.join(map(str, places))})" if places else ""
        raise CredentialsError(
            f"{file} does not exist{looked}: give the SDK's data folder, or any folder on the way to the .key and .crt"
            " files, and check the agent id"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CredentialsError(f"{file} cannot be read: {reason}") from error


def _as_bytes(pem: str | bytes) -> bytes:
    return pem.encode(errors="replace") if isinstance(pem, str) else pem


def seed_hash(seed_password: str | None) -> str:
    """Return what the SDK encrypts an agent's key with: the lower-case hex of the seed password's SHA-256.

    Raises UnicodeEncodeError for a password that no UTF-8 can carry.
    """
    return hashlib.sha256(_password_bytes(seed_password or "")).hexdigest()


def _password_bytes(password: str) -> bytes:
    return password.encode(errors="surrogateescape")  # what os.environ could not decode becomes the bytes it was


def load_key(data: bytes, name: str, password: str | None) -> ec.EllipticCurvePrivateKey:
    """Return the key in PEM; ``name`` says in errors where it is from.  Raises `CredentialsError`."""
    if fault := excess(data):
        raise CredentialsError(f"{name} is no key that can be used: {fault}: restore it from a backup")
    try:
        key = _parsed(data, None)
    except TypeError:  # it is encrypted
        key = _decrypted(data, name, password)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialsError(f"{name} is not a private key in PEM: restore it from a backup") from error
    else:
        if password:
            logger.warning("%s is not encrypted: the password is not used", name)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CredentialsError(f"{name} is not an elliptic-curve key: AgentCP signs with ECDSA only")
    return key


def is_encrypted(data: bytes) -> bool:
    """Whether this is a key in PEM that needs a password, and can be opened in bounded time."""
    if excess(data):
        return False
    try:
        _parsed(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        pass
    return False


def opens_unasked(data: bytes) -> bool:
    """Whether this key in PEM opens without a password: not encrypted, or as the SDK does it for an empty seed."""
    return not is_encrypted(data) or _opened(data, seed_hash(None)) is not None


def _decrypted(data: bytes, name: str, password: str | None) -> PrivateKeyTypes:
    if not password:
        key = _opened(data, seed_hash(None))
        if key is None:
            raise PasswordRequiredError(
                f"{name} is encrypted: give the seed password it was made with (without one, the SDK's key of an empty"
                " seed password was tried)"
            )
        return key
    try:
        key = _opened(data, password) or _opened(data, seed_hash(password))
    except UnicodeEncodeError:
        key = None
    if key is None:
        raise CredentialsError(
            f"the password does not open {name}, neither as it is nor as the hex of its SHA-256, which the SDK uses:"
            " give the seed password it was made with, or restore the file if it is damaged"
        )
    return key


def _opened(data: bytes, password: str) -> PrivateKeyTypes | None:
    try:
        return _parsed(data, _password_bytes(password))
    except (ValueError, UnsupportedAlgorithm):
        return None


def _parsed(data: bytes, password: bytes | None) -> PrivateKeyTypes:
    # To check the primes of an RSA key, which is of no use here, can take minutes.
    return load_pem_private_key(data, password, unsafe_skip_rsa_key_validation=True)


def _certificate_of(public_key_pem: str, data: bytes, name: str, key_name: str) -> x509.Certificate:
    """Return the first certificate in ``data`` that certifies the key."""
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except (ValueError, x509.InvalidVersion) as error:
        raise CredentialsError(f"{name} is not a certificate in PEM: restore it from a backup") from error
    for certificate in certificates:
        try:
            if _public_pem(certificate.public_key()) == public_key_pem:
                return certificate
        except (ValueError, UnsupportedAlgorithm):
            continue  # a key that cannot be read is not the agent's, which could
    raise CredentialsError(f"{name} and {key_name} do not belong together: restore both from the same backup")


def _public_pem(key: CertificatePublicKeyTypes) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
