import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509 import load_pem_x509_certificates
from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.sign_in.credentials import CredentialFiles
from tests.sign_in.certificates import VERSION_POSITION, Identity, damaged_pem, key_pem, make_identity

AGENT = "alice.agentid.pub"
IDENTITY = make_identity(AGENT)


def store(folder: Path, identity: Identity = IDENTITY, password: str = "", agent_id: str = AGENT) -> None:
    """Write the two files as the SDK does, but for their mode."""
    folder.mkdir(parents=True, exist_ok=True)
    key_file = folder / f"{agent_id}.key"
    key_file.write_text(key_pem(identity.key, password))
    key_file.chmod(0o600)
    (folder / f"{agent_id}.crt").write_text(identity.certificate_pem)


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()], ids=lambda curve: curve.name
)
def test_signs_on_whatever_curve_the_key_has(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    identity = make_identity(AGENT, curve=curve)
    store(tmp_path / AGENT / "private" / "certs", identity, "päss wörd")
    credentials = Credentials.load(tmp_path, AGENT, "päss wörd")
    identity.key.public_key().verify(credentials.sign(b"nonce"), b"nonce", ec.ECDSA(SHA256()))
    assert credentials.agent_id == AGENT
    assert credentials.certificate_pem == identity.certificate_pem
    public_key = identity.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert credentials.public_key_pem == public_key.decode()


def test_the_folder_of_the_files_works_like_the_data_folder(tmp_path: Path) -> None:
    store(tmp_path / "deep")
    store(tmp_path / "data" / AGENT / "private" / "certs")
    assert Credentials.load(tmp_path / "deep", AGENT) == Credentials.load(str(tmp_path / "data"), AGENT)


def test_an_agent_id_in_another_script(tmp_path: Path) -> None:
    store(tmp_path, agent_id="智能体.agentid.pub")
    assert Credentials.load(tmp_path, "智能体.agentid.pub").agent_id == "智能体.agentid.pub"


def test_the_private_key_is_never_shown() -> None:
    credentials = Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem)
    assert "private" not in repr(credentials).lower()


@pytest.mark.parametrize("missing", [".key", ".crt"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    store(tmp_path)
    (tmp_path / f"{AGENT}{missing}").unlink()
    with pytest.raises(CredentialsError, match=rf"{AGENT}{missing} does not exist"):
        Credentials.load(tmp_path, AGENT)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    store(tmp_path)
    (tmp_path / f"{AGENT}.crt").unlink()
    (tmp_path / f"{AGENT}.crt").mkdir()
    with pytest.raises(CredentialsError, match=rf"{AGENT}\.crt cannot be read"):
        Credentials.load(tmp_path, AGENT)


@pytest.mark.parametrize("password", [None, ""])
def test_a_missing_password(password: str | None) -> None:
    with pytest.raises(CredentialsError, match="is encrypted: give the seed password"):
        Credentials.from_pem(AGENT, key_pem(IDENTITY.key, "right"), IDENTITY.certificate_pem, password)


@pytest.mark.parametrize("password", ["wrong", "\ud800", "x" * 5000, "rıght"])
def test_a_wrong_password(password: str) -> None:
    with pytest.raises(CredentialsError, match="the password does not open the given key"):
        Credentials.from_pem(AGENT, key_pem(IDENTITY.key, "right"), IDENTITY.certificate_pem, password)


def test_a_password_that_the_environment_could_not_decode() -> None:
    encryption = BestAvailableEncryption(b"caf\xe9")
    pem = IDENTITY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    assert Credentials.from_pem(AGENT, pem, IDENTITY.certificate_pem, os.fsdecode(b"caf\xe9"))


def test_a_key_in_the_clear_needs_no_password_and_warns_of_one(caplog: pytest.LogCaptureFixture) -> None:
    Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem)
    assert not caplog.records
    Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem, "sesame")
    assert "not encrypted" in caplog.text
    assert "sesame" not in caplog.text


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_what_is_no_key_is_refused(junk: bytes | str) -> None:
    with pytest.raises(CredentialsError, match="the given key is not a private key in PEM"):
        Credentials.from_pem(AGENT, junk, IDENTITY.certificate_pem)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_what_is_no_certificate_is_refused(junk: bytes | str) -> None:
    with pytest.raises(CredentialsError, match="the given certificate is not a certificate in PEM"):
        Credentials.from_pem(AGENT, IDENTITY.key_pem, junk)


@given(st.integers(0, len(IDENTITY.key_pem) - 1), st.characters(codec="ascii"))
def test_a_damaged_key_is_refused_or_harmless(position: int, character: str) -> None:
    damaged = IDENTITY.key_pem[:position] + character + IDENTITY.key_pem[position + 1 :]
    try:
        credentials = Credentials.from_pem(AGENT, damaged, IDENTITY.certificate_pem)
    except CredentialsError:
        return
    IDENTITY.key.public_key().verify(credentials.sign(b"nonce"), b"nonce", ec.ECDSA(SHA256()))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.integers(0, 1000), st.integers(0, 255))
@example(VERSION_POSITION, 9)
def test_a_damaged_certificate_is_refused_or_still_the_keys(position: int, byte: int) -> None:
    try:
        credentials = Credentials.from_pem(AGENT, IDENTITY.key_pem, damaged_pem(IDENTITY.certificate, position, byte))
    except CredentialsError:
        return
    certificate = load_pem_x509_certificates(credentials.certificate_pem.encode())[0]
    assert certificate.public_key() == IDENTITY.key.public_key()


def test_another_kind_of_key() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CredentialsError, match="not an elliptic-curve key"):
        Credentials.from_pem(AGENT, pem, IDENTITY.certificate_pem)


def test_key_and_certificate_of_two_agents(tmp_path: Path) -> None:
    store(tmp_path)
    (tmp_path / f"{AGENT}.crt").write_text(make_identity("bob.agentid.pub").certificate_pem)
    with pytest.raises(CredentialsError, match=rf"{AGENT}\.crt and .*{AGENT}\.key do not belong together"):
        Credentials.load(tmp_path, AGENT)


def test_an_expired_certificate() -> None:
    expired = make_identity(valid_from=timedelta(days=-9), valid_until=timedelta(days=-1))
    with pytest.raises(CredentialsError, match=r"expired on .* UTC: have the certificate renewed"):
        Credentials.from_pem(AGENT, expired.key_pem, expired.certificate_pem)


def test_a_certificate_of_the_future() -> None:
    future = make_identity(valid_from=timedelta(days=1), valid_until=timedelta(days=9))
    with pytest.raises(CredentialsError, match=r"not valid before .* UTC: check this machine's clock"):
        Credentials.from_pem(AGENT, future.key_pem, future.certificate_pem)


@pytest.mark.parametrize("password", ["", "right"])
def test_windows_line_endings(tmp_path: Path, password: str) -> None:
    store(tmp_path, password=password)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    credentials = Credentials.load(tmp_path, AGENT, password)
    assert credentials.certificate_pem == IDENTITY.certificate_pem


@pytest.mark.parametrize("agent_first", [True, False])
def test_of_a_chain_only_the_agents_certificate_is_used(agent_first: bool) -> None:
    authority = make_identity("ca", authority=True)
    agent = make_identity(AGENT, authority)
    chain = [agent.certificate_pem, authority.certificate_pem]
    text = "A comment\n" + "\n".join(chain if agent_first else reversed(chain))
    credentials = Credentials.from_pem(AGENT, agent.key_pem, text)
    assert load_pem_x509_certificates(credentials.certificate_pem.encode()) == [agent.certificate]


@pytest.mark.parametrize("agent_id", ["", ".", "..", "a/b", "../a", "a\\b", "a\0b", "a\nb", "\ud800"])
def test_an_agent_id_that_is_no_files_name(tmp_path: Path, agent_id: str) -> None:
    with pytest.raises(CredentialsError, match="the agent id"):
        Credentials.load(tmp_path, agent_id)
    with pytest.raises(CredentialsError, match="the agent id"):
        Credentials.from_pem(agent_id, IDENTITY.key_pem, IDENTITY.certificate_pem)


class TestPermissions:
    @pytest.fixture
    def files(self, tmp_path: Path) -> CredentialFiles:
        folder = tmp_path / "certs"
        store(folder)
        folder.chmod(0o700)
        (folder / f"{AGENT}.crt").chmod(0o644)
        return CredentialFiles.of(folder, AGENT)

    def warnings(self, files: CredentialFiles, caplog: pytest.LogCaptureFixture) -> list[str]:
        caplog.clear()
        Credentials.load(files.key.parent, AGENT)
        assert all(record.levelno == logging.WARNING for record in caplog.records)
        return caplog.messages

    @pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
    def test_a_key_that_others_can_read_earns_a_warning(
        self, files: CredentialFiles, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
    ) -> None:
        files.key.chmod(mode)
        expected = [f"other users can read the private key {files.key}: chmod 600 it"] * warned
        assert self.warnings(files, caplog) == expected

    @pytest.mark.parametrize("bits", [0o020, 0o002, 0o022])
    def test_what_others_can_change_earns_a_warning(
        self, files: CredentialFiles, caplog: pytest.LogCaptureFixture, bits: int
    ) -> None:
        assert self.warnings(files, caplog) == []
        for file in (files.key, files.certificate):
            file.chmod(0o600 | bits)
            assert self.warnings(files, caplog) == [f"other users can change {file}: chmod go-w it"]
            file.chmod(0o600)
        folder = files.key.parent
        folder.chmod(0o700 | bits)
        assert self.warnings(files, caplog) == [f"other users can replace the files in {folder}: chmod go-w it"]
        folder.chmod(0o1700 | bits)
        assert self.warnings(files, caplog) == []

    @given(key=st.integers(0, 0o777), certificate=st.integers(0, 0o777), folder=st.integers(0, 0o1777))
    def test_only_the_owners_own_rights_are_no_danger(self, key: int, certificate: int, folder: int) -> None:
        """Whatever the modes, there is a warning exactly for each thing that the remedies would change."""
        with TemporaryDirectory() as name:
            path = Path(name) / "certs"
            store(path)
            files = CredentialFiles.of(path, AGENT)
            files.key.chmod(key)
            files.certificate.chmod(certificate)
            path.chmod(folder | 0o700)
            if key & 0o044 or key & 0o022 or certificate & 0o022 or (folder & 0o022 and not folder & 0o1000):
                assert files.dangers()
            else:
                assert not files.dangers()
            for file, mode in ((files.key, 0o600), (files.certificate, certificate & ~0o022), (path, 0o700)):
                file.chmod(mode)
            assert not files.dangers()


CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
"""Those that the SDK's authority may certify."""
AUTHORITY = make_identity("ca", authority=True)
AGENTS = [make_identity(AGENT, AUTHORITY, curve=curve) for curve in CURVES]


@given(
    identity=st.sampled_from(AGENTS),
    password=st.text(st.characters(codec="utf-8"), max_size=20),
    line_end=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(range(3)),
    remark=st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=30),
    traditional=st.booleans(),
)
def test_however_a_key_and_a_chain_are_written(
    identity: Identity, password: str, line_end: str, order: Sequence[int], remark: str, traditional: bool
) -> None:
    if traditional and not password:  # as openssl ecparam writes it
        key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    else:
        key = key_pem(identity.key, password)
    chain = [identity.certificate_pem, AUTHORITY.certificate_pem, make_identity("other", AUTHORITY).certificate_pem]
    text = f"{remark}\n".join(chain[number] for number in order)
    credentials = Credentials.from_pem(
        AGENT, key.replace("\n", line_end), text.replace("\n", line_end).encode(), password or None
    )
    identity.key.public_key().verify(credentials.sign(b"nonce"), b"nonce", ec.ECDSA(SHA256()))
    assert credentials.certificate_pem == identity.certificate_pem
    if password:
        with pytest.raises(CredentialsError, match="the password does not open"):
            Credentials.from_pem(AGENT, key, text, password + "x")
