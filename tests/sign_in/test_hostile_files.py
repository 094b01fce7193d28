"""Files that would hang, exhaust or mislead the reader of credentials."""

import base64
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from agentcp_fsm.errors import CredentialsError
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.sign_in.credentials import CredentialFiles
from agentcp_fsm.sign_in.key_cost import MAX_ITERATIONS, excess
from tests.sign_in.certificates import make_identity

AGENT = "alice.agentid.pub"
IDENTITY = make_identity(AGENT)
PATIENCE = 20.0
"""Seconds after which a load counts as hanging, on a busy machine."""
PBES2, PBKDF2, SCRYPT, AES = "2a864886f70d01050d", "2a864886f70d01050c", "2b06010401da47040b", "60864801650304012a"


def refusal(load: Callable[[], object]) -> str:
    """The error of a load, which must come in bounded time."""
    said: list[str] = []

    def run() -> None:
        try:
            load()
        except CredentialsError as error:
            said.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    begun = time.monotonic()
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), f"it still runs after {time.monotonic() - begun:.0f} s"
    [text] = said
    return text


def tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content).to_bytes(4, "big")
    return bytes([tag, 0x84]) + size + content


def oid(dotless: str) -> bytes:
    return tlv(6, bytes.fromhex(dotless))


def number(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pem(name: str, der: bytes) -> bytes:
    return f"-----BEGIN {name}-----\n".encode() + base64.encodebytes(der) + f"-----END {name}-----\n".encode()


def encrypted(derivation: str, *numbers: int) -> bytes:
    """A key that asks for this work before its password can be judged."""
    hashing = tlv(0x30, oid(derivation), tlv(0x30, tlv(4, b"saltsalt"), *map(number, numbers)))
    cipher = tlv(0x30, oid(AES), tlv(4, bytes(16)))
    algorithm = tlv(0x30, oid(PBES2), tlv(0x30, hashing, cipher))
    return pem("ENCRYPTED PRIVATE KEY", tlv(0x30, algorithm, tlv(4, bytes(64))))


@pytest.mark.parametrize(
    "key",
    [
        encrypted(PBKDF2, 2**25),
        encrypted(PBKDF2, 2**31 - 1),
        encrypted(PBKDF2, MAX_ITERATIONS + 1),
        encrypted(SCRYPT, 2**30, 8, 1),
        encrypted(SCRYPT, 2**14, 8, 2**20),
    ],
)
@pytest.mark.parametrize("password", ["pw", None])
def test_a_key_that_asks_for_too_much_hashing_is_refused_unhashed(key: bytes, password: str | None) -> None:
    assert "is the most" in refusal(lambda: Credentials.from_pem(AGENT, key, IDENTITY.certificate_pem, password))


def test_what_the_library_encrypts_is_no_excess() -> None:
    key = IDENTITY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    assert excess(key) == ""
    assert excess(encrypted(PBKDF2, 1_300_000, 32)) == ""
    assert excess(encrypted(SCRYPT, 2**17, 8, 1, 32)) == ""


@pytest.mark.parametrize("cut", range(0, 300, 7))
def test_a_damaged_key_is_not_judged_by_its_work(cut: int) -> None:
    key = IDENTITY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    excess(key[: 38 + cut] + key[60 + cut :])  # it raises nothing


def test_a_key_of_enormous_numbers_is_refused() -> None:
    modulus = 3**20_000
    parts = (0, modulus, 65537, 5, 3**10_000, 3**10_000, 5, 5, 7)
    key = pem("RSA PRIVATE KEY", tlv(0x30, *map(number, parts)))
    assert len(key) > 10_000
    assert refusal(lambda: Credentials.from_pem(AGENT, key, IDENTITY.certificate_pem))
    parts = (0, 2**1_000_000 + 1, 65537, 5, 5, 7, 5, 5, 7)
    key = pem("RSA PRIVATE KEY", tlv(0x30, *map(number, parts)))
    assert "a key at most" in refusal(lambda: Credentials.from_pem(AGENT, key, IDENTITY.certificate_pem))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for ending, text in ((".key", IDENTITY.key_pem), (".crt", IDENTITY.certificate_pem)):
        file = tmp_path / f"{AGENT}{ending}"
        file.write_text(text)
        file.chmod(0o600)
    return tmp_path


@pytest.mark.parametrize("ending", [".key", ".crt"])
@pytest.mark.parametrize("kind", ["FIFO", "/dev/zero", "/dev/null", "/dev/random", "a folder", "2 GB"])
def test_what_is_no_small_file_is_refused(folder: Path, ending: str, kind: str) -> None:
    file = folder / f"{AGENT}{ending}"
    file.unlink()
    match kind:
        case "FIFO":
            os.mkfifo(file)
        case "a folder":
            file.mkdir()
        case "2 GB":
            with file.open("wb") as opened:
                opened.truncate(2 * 1024**3)
        case _:
            file.symlink_to(kind)
    assert f"{file} cannot be read: " in refusal(lambda: Credentials.load(folder, AGENT))


@pytest.mark.parametrize(
    "agent_id", ["x" * 300, "é" * 200, "x" * 252, "a\0b", "\ud800", "a\nb", "\u202ea", "x" * 10**6]
)
def test_an_agent_id_that_is_no_name_of_a_file_is_refused_in_a_line(tmp_path: Path, agent_id: str) -> None:
    text = refusal(lambda: Credentials.load(tmp_path, agent_id))
    assert text.isprintable()
    assert len(text) < 500


@pytest.mark.parametrize("directory", ["a\0b", "x" * 300, "/dev/null", "\ud800"])
def test_a_folder_that_cannot_be_is_refused(directory: str) -> None:
    assert refusal(lambda: Credentials.load(directory, AGENT))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser can give files away")
@pytest.mark.parametrize("given", ["file", "folder", "ancestor"])
def test_what_belongs_to_another_user_is_warned_of(tmp_path: Path, given: str) -> None:
    folder = tmp_path / "ancestor" / AGENT / "private" / "certs"
    folder.mkdir(0o700, parents=True)
    for ending in (".key", ".crt"):
        (folder / f"{AGENT}{ending}").touch(0o600)
    path = {"file": folder / f"{AGENT}.crt", "folder": folder, "ancestor": tmp_path / "ancestor"}[given]
    os.chown(path, 65534, 65534)
    [danger] = CredentialFiles.of(tmp_path / "ancestor", AGENT).dangers()
    assert danger.startswith(f"{path} belongs to another user (uid 65534)")


def test_an_ancestor_that_others_can_rename_in_is_warned_of(tmp_path: Path) -> None:
    data = tmp_path / "open" / "data"
    folder = data / AGENT / "private" / "certs"
    folder.mkdir(0o700, parents=True)
    for ending in (".key", ".crt"):
        (folder / f"{AGENT}{ending}").touch(0o600)
    (tmp_path / "open").chmod(0o777)
    message = f"other users can replace the files in {tmp_path / 'open'}: chmod go-w it"
    assert CredentialFiles.of(data, AGENT).dangers() == [message]
    (tmp_path / "link").symlink_to(data)
    assert CredentialFiles.of(tmp_path / "link", AGENT).dangers() == [message]
    (tmp_path / "open").chmod(0o1777)
    assert CredentialFiles.of(data, AGENT).dangers() == []


def test_a_curve_key_of_the_largest_kind_is_small() -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    assert excess(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x" * 900))) == ""
