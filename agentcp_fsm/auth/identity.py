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

from agentcp_fsm.auth.credentials import Credentials
from agentcp_fsm.errors import CredentialsError

VALIDITY = timedelta(days=365)


def make_identity(directory: str | os.PathLike[str], agent_id: str, password: str | None = None) -> Credentials:
    """Make a key (P-384) and a certificate for `agent_id` below the SDK's data folder `directory`, and load them.

    The files are those of the protocol's "Credentials on disk"; the key is encrypted if there is a password, and
    readable by its owner only.  Raises CredentialsError if there are files already or none can be written.
    """
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, agent_id)])
    now = datetime.now(UTC)
    certificate = (
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
    encryption: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    certificate_pem = certificate.public_bytes(Encoding.PEM)
    credentials = Credentials.from_pem(agent_id, key_pem, certificate_pem, password)  # raises for a bad agent id
    folder = Path(directory) / agent_id / "private" / "certs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, content in ((".key", key_pem), (".crt", certificate_pem)):
            descriptor = os.open(folder / f"{agent_id}{ending}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content)
    except FileExistsError as error:
        raise CredentialsError(f"{error.filename} exists: remove it first, or choose another folder") from None
    except OSError as error:
        raise CredentialsError(f"{error.filename} cannot be written: {error.strerror}") from error
    return credentials
