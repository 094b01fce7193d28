"""Identities that the SDK made are ours, and the other way round; the reference server makes them as the SDK asks."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agentcp_fsm import Credentials, CredentialsError
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.credentials import seed_hash
from agentcp_fsm.sign_in.identities import make_identity
from tests.sdk.conftest import ALICE
from tests.sdk.internet import Internet
from tests.sdk.sdk import SDKProgram, sdk_module
from tests.sign_in.certificates import make_identity as made_by

SECRET = "secret"
IDENTITIES = ("agentcp", "AIDs")

MAKER = """
folder, password = sys.argv[1:]
from agentcp import AgentCP
for line in sys.stdin:
    match line.split():
        case ["create", name]:
            agent = AgentCP(folder, seed_password=password, run_proxy=False).create_aid("agentid.pub", name)
        case ["load", agent_id]:
            agent = AgentCP(folder, seed_password=password, run_proxy=False).load_aid(agent_id)
    say(agent=agent and agent.id)
"""


@pytest.fixture
def internet(server: ServerThread, tmp_path: Path) -> Iterator[Internet]:
    with Internet(server.url, tmp_path) as made:
        yield made


def maker(folder: Path, password: str, internet: Internet) -> SDKProgram:
    return SDKProgram(MAKER, str(folder), password, **internet.environment)


@pytest.mark.parametrize("password", [SECRET, ""])
def test_an_identity_that_the_sdk_makes_signs_in(
    server: ServerThread, internet: Internet, tmp_path: Path, password: str
) -> None:
    """`create_aid`, unchanged, of the SDK that is installed; its key opens with the user's own seed password."""
    with maker(tmp_path / "data", password, internet) as sdk:
        assert sdk.ask("create alice") == {"agent": ALICE}
        assert sdk.ask("create alice") == {"agent": ALICE}  # loaded
    credentials = Credentials.load(tmp_path / "data", ALICE, password or None)
    from agentcp_fsm import AuthClient

    with AuthClient(server.url) as client:
        client.sign_out(ALICE, client.sign_in(credentials))
    assert server.statistics().http_malformed == 0


def test_a_guest_of_the_sdk(server: ServerThread, internet: Internet, tmp_path: Path) -> None:
    with maker(tmp_path / "data", SECRET, internet) as sdk:
        agent_id = sdk.ask("create guest")["agent"]
    assert agent_id.startswith("guest")
    assert agent_id.endswith(".agentid.pub")
    Credentials.load(tmp_path / "data", agent_id, SECRET)


def test_the_sdk_renews_a_certificate(server: ServerThread, internet: Internet, tmp_path: Path) -> None:
    old = made_by(ALICE, valid_from=timedelta(days=-300), valid_until=timedelta(days=1))
    folder = tmp_path / "data" / Path(*IDENTITIES)
    made_client = sdk_module("agentcp.ca.ca_client").CAClient("https://ca.example", str(folder), seed_hash(SECRET))
    sdk_module("agentcp.base.log").set_log_enabled(False, 40)
    made_client.save_private_key_to_file(ALICE, old.key)
    made_client.save_cert_to_file(ALICE, old.certificate_pem)
    with maker(tmp_path / "data", SECRET, internet) as sdk:
        assert sdk.ask(f"load {ALICE}") == {"agent": ALICE}
    renewed = Credentials.load(tmp_path / "data", ALICE, SECRET)
    certificate = x509.load_pem_x509_certificate(renewed.certificate_pem.encode())
    assert certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=300)
    assert certificate.public_bytes(Encoding.PEM).decode() != old.certificate_pem


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "agentcp_fsm", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def theirs(data: Path, password: str) -> Any:
    """The key as the SDK loads it from its data folder."""
    folder = data.joinpath(*IDENTITIES)
    client = sdk_module("agentcp.ca.ca_client").CAClient("https://127.0.0.1:1", str(folder), seed_hash(password))
    return client.load_private_key(ALICE)


@pytest.mark.parametrize("level", [(), ("agentcp",), IDENTITIES])
@pytest.mark.parametrize("password", [SECRET, ""])
def test_the_command_makes_what_the_sdk_opens(tmp_path: Path, level: tuple[str, ...], password: str) -> None:
    """It made keys that the SDK could not decrypt, in a folder in which it does not look."""
    arguments = ["identity", "new", ALICE, "--data", tmp_path.joinpath(*level)]
    made = command(*arguments, *(["--password-env", "PW"] if password else []), PW=password)
    assert made.returncode == 0, made.stderr
    assert theirs(tmp_path, password) is not None
    assert theirs(tmp_path, "another") is None
    assert Credentials.load(tmp_path, ALICE, password or None).agent_id == ALICE


def test_a_key_in_the_clear_is_asked_for_by_name(tmp_path: Path) -> None:
    made = command("identity", "new", ALICE, "--data", tmp_path, "--insecure-unencrypted")
    assert made.returncode == 0, made.stderr
    assert theirs(tmp_path, "") is None
    assert Credentials.load(tmp_path, ALICE).agent_id == ALICE
    both = command("identity", "new", "b.agentid.pub", "--data", tmp_path, "--insecure-unencrypted",
                   "--password-env", "PW", PW=SECRET)  # fmt: skip
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_identity(tmp_path.joinpath(*IDENTITIES), ALICE, hashlib.sha256(SECRET.encode()).hexdigest())
    return tmp_path


@pytest.mark.parametrize("depth", range(6))
def test_the_data_folder_is_given_at_any_level(data: Path, depth: int) -> None:
    way = (*IDENTITIES, ALICE, "private", "certs")
    assert Credentials.load(data.joinpath(*way[:depth]), ALICE, SECRET).agent_id == ALICE


def test_the_seed_password_opens_as_it_is_and_as_the_sdk_has_it(data: Path) -> None:
    """Every key of the SDK was refused with its own seed password."""
    for password in (SECRET, seed_hash(SECRET)):
        Credentials.load(data, ALICE, password)
    with pytest.raises(CredentialsError, match="neither as it is nor as the hex of its SHA-256") as refused:
        Credentials.load(data, ALICE, "wrong seed")
    assert "wrong seed" not in str(refused.value)
    assert seed_hash("wrong seed") not in str(refused.value)
    with pytest.raises(CredentialsError, match="an empty seed password was tried"):
        Credentials.load(data, ALICE)


def test_the_error_lists_the_places_that_were_looked_at(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as refused:
        Credentials.load(tmp_path, ALICE)
    for place in (tmp_path / "agentcp" / "AIDs" / ALICE / "private" / "certs", tmp_path / "AIDs" / ALICE,
                  tmp_path / ALICE / "private" / "certs", tmp_path):  # fmt: skip
        assert str(place) in str(refused.value)
