"""A throwaway identity: a key and a self-signed certificate, as the SDK keeps them, for use with a local server."""

import errno
import logging
import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

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
from agentcp_fsm.sign_in.trust.certificates import certificate_builder, named
from agentcp_fsm.support import files

logger = logging.getLogger(__name__)

VALIDITY = timedelta(days=365)


MAX_NAME = 64
"""Bytes of UTF-8 that a certificate's common name has at most (X.520)."""


def make_identity(directory: str | os.PathLike[str], agent_id: str, password: str | None = None) -> Credentials:
    """Make a key (P-384) and a certificate for `agent_id` in the SDK's folder of identities `directory`, and load them.

    The files are those of the protocol's "Credentials on disk".  They and the folders that are made for them are their
    owner's only.  The key is encrypted with `password` as it is, and not without one; the SDK loads a key that is
    encrypted with the `seed_hash` of its seed password.

    Both files are there or none is, even if the process is killed meanwhile.  What other users of this machine could do
    to them is logged as a warning.

    Raises CredentialsError, and leaves no file behind, for an agent id or a password that cannot be used, if there are
    files already, or if none can be written.
    """
    wanted = CredentialFiles.below(directory, agent_id)
    if len(agent_id.encode()) > MAX_NAME:
        raise CredentialsError(
            f"the agent id {agent_id!r} is longer than {MAX_NAME} bytes, too long for a certificate: choose another"
        )
    for file in (wanted.key, wanted.certificate):
        if os.path.lexists(file):
            raise CredentialsError(f"{file} exists: remove it first, or choose another folder")
    key = ec.generate_private_key(ec.SECP384R1())
    key_pem = _key_pem(key, password)
    certificate_pem = _self_signed(key, agent_id).public_bytes(Encoding.PEM)
    _write(wanted, key_pem, certificate_pem)
    for danger in wanted.dangers():
        logger.warning("%s", danger)
    return Credentials.from_pem(agent_id, key_pem, certificate_pem, password)


def _write(wanted: CredentialFiles, key_pem: bytes, certificate_pem: bytes) -> None:
    """Write both files or none: they are made in a folder beside theirs, which then becomes theirs in one step."""
    folder = wanted.key.parent
    try:
        files.make_private_folder(folder.parent)
        # A folder with a name of its own: if the process is killed meanwhile, its rest is in no one's way.
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True) as made:
            files.write_new(Path(made, wanted.key.name), key_pem)
            files.write_new(Path(made, wanted.certificate.name), certificate_pem)
            os.rename(made, folder)  # which takes the place of an empty folder, and of no other
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise CredentialsError(
                f"{folder} exists and is not empty: remove it first, or choose another folder"
            ) from None
        raise CredentialsError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise CredentialsError(f"{folder} cannot be written: {error}") from error


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
    builder = certificate_builder(named(agent_id), named(agent_id), VALIDITY)
    return builder.public_key(key.public_key()).sign(key, SHA256())
