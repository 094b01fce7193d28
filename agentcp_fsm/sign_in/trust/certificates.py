"""Reading and making X.509 certificates."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

UNREADABLE: tuple[type[Exception], ...] = (Exception,)
"""What is raised for a certificate that cannot be read or verified: everything.  Certificates are read as far as they
are looked at, and cryptography's reader raises whatever the code that it calls raises: ValueError for a date in the
year 0, TypeError for a name that is a string of bits, and what the next version will.  So this is caught where nothing
is done but to read or to verify."""


def common_names(subject: x509.Name) -> list[str]:
    """Return the common names of a subject; raises `UNREADABLE`."""
    return [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def named(common_name: str) -> x509.Name:
    """Return the subject that has this common name and nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, validity: timedelta, *, authority: bool = False
) -> x509.CertificateBuilder:
    """Begin a certificate that is valid from now on; it lacks the public key and the signature."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # other clocks may be a little behind
        .not_valid_after(now + validity)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
