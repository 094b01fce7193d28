"""A throwaway identity: a key and a self-signed certificate, as the SDK keeps them, for use with a local server."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.sign_in.credentials import IDENTITIES, CredentialFiles, Credentials

VALIDITY = timedelta(days=365)


MAX_NAME = 64
"""Bytes of UTF-8 that a certificate's common name has at most (X.520)."""


def make_identity(directory: str | os.PathLike[str], agent_id: str, password: str | None = None) -> Credentials:
    """Make a key (P-384) and a certificate for `agent_id` in the SDK's folder of identities `directory`, and load them.

    The files are those of the protocol's "Credentials on disk".  They and the folders that are made for them are their
    owner's only.  The key is encrypted with `password` as it is, and not without one; the SDK loads a key that is
    encrypted with the `seed_hash` of its seed password.

    Raises CredentialsError, and leaves nothing behind, for an agent id or a password that cannot be used, if there are
    files already, or if none can be written.
    """
    files = CredentialFiles.below(directory, agent_id)
    if len(agent_id.encode()) > MAX_NAME:
        raise CredentialsError(
            f"the agent id {agent_id!r} is longer than {MAX_NAME} bytes, too long for a certificate: choose another"
        )
    key = ec.generate_private_key(ec.SECP384R1())
    key_pem = _key_pem(key, password)
    certificate_pem = _self_signed(key, agent_id).public_bytes(Encoding.PEM)
    made: list[Path] = []
    try:
        for folder in (files.key.parent.parent, files.key.parent):
            folder.mkdir(0o700, parents=True, exist_ok=True)
        for file, content in ((files.key, key_pem), (files.certificate, certificate_pem)):
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                made.append(file)
                opened.write(content)
    except OSError as error:
        for file in made:
            file.unlink()
        if isinstance(error, FileExistsError):
            raise CredentialsError(f"{error.filename} exists: remove it first, or choose another folder") from None
        raise CredentialsError(f"{error.filename or files.key} cannot be written: {error.strerror}") from error
    return Credentials.from_pem(agent_id, key_pem, certificate_pem, password)


def identities_folder(data: str | os.PathLike[str]) -> Path:
    """Return the folder in which the SDK, given its data folder `data`, keeps identities.

    What already ends as that folder does is taken for it, or for the way to it.
    """
    folder = Path(data)
    known = next((length for length in range(len(IDENTITIES), 0, -1) if _ends(folder, IDENTITIES[:length])), 0)
    return folder.joinpath(*IDENTITIES[known:])


def _ends(folder: Path, parts: tuple[str, ...]) -> bool:
    return folder.absolute().parts[-len(parts) :] == parts


def _key_pem(key: ec.EllipticCurvePrivateKey, password: str | None) -> bytes:
    try:
        encryption: KeySerializationEncryption = (
            # What os.environ could not decode becomes the bytes it was.
            BestAvailableEncryption(password.encode(errors="surrogateescape")) if password else NoEncryption()
        )
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    except ValueError as error:
        raise CredentialsError("no key can be encrypted with this password: choose a shorter one") from error


def _self_signed(key: ec.EllipticCurvePrivateKey, agent_id: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, agent_id)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # other clocks may be a little behind
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
