"""The SDK's own check of a server beside ours, and our identities as the SDK reads them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agentcp.base import log
from agentcp.base.auth_client import AuthClient
from agentcp.ca.ca_client import CAClient
from agentcp.ca.ca_root import CARoot
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agentcp_fsm.errors import FailureKind, SignInError
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in import Credentials
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.identities import make_identity as make_throwaway
from agentcp_fsm.sign_in.trust.chain import ChainVerifier
from agentcp_fsm.sign_in.trust.issuers import IssuerFetcher
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.servers import Request, Server, raw

AGENT = "alice.agentid.pub"
PASSWORD = "sésame, open"
ROOT = make_identity("root", authority=True)
MIDDLE = make_identity("middle", ROOT, authority=True)
MALLORY = make_identity("middle", authority=True)
"""An authority of the attacker's own, with a trusted one's name."""


@pytest.fixture(autouse=True)
def no_log_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its logger exists only in a program that set one up."""
    monkeypatch.setattr(log, "log_enabled", False)


class TestServersCertificate:
    @pytest.fixture
    def host(self) -> Iterator[Server]:
        answers = {"/ca": MIDDLE.certificate_pem, "/mallory": MALLORY.certificate_pem}
        with Server(lambda request, _: raw(answers[request.path].encode())) as server:
            yield server

    @pytest.fixture
    def sdk_accepts(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Identity], bool]:
        monkeypatch.setattr(AuthClient, "success_crt_list", [])
        monkeypatch.setattr(CARoot, "get_ca_root_crt", lambda *_: ROOT.certificate_pem)
        sdk = AuthClient(AGENT, "https://heartbeat.example", "", "")
        return lambda server: bool(sdk._AuthClient__check_server_cert(server.certificate))

    @staticmethod
    def we_accept(server: Identity, name: str | None = None) -> bool:
        chain = ChainVerifier([ROOT.certificate], name, IssuerFetcher(verify=True, allow_insecure_private=True))
        try:
            chain.verify([server.certificate], Call.begin(Timeouts()))
        except SignInError as error:
            if error.kind is not FailureKind.UNPROVEN_SERVER:
                raise
            return False
        return True

    def test_both_accept_a_good_chain(self, host: Server, sdk_accepts: Callable[[Identity], bool]) -> None:
        server = make_identity("server", MIDDLE, issuer_urls=[f"{host.url}/ca"])
        assert sdk_accepts(server)
        assert self.we_accept(server)

    def test_a_certificate_that_names_a_trusted_issuers_place(
        self, host: Server, sdk_accepts: Callable[[Identity], bool]
    ) -> None:
        """The SDK believes whatever names an issuer's URL that it saw once."""
        assert sdk_accepts(make_identity("server", MIDDLE, issuer_urls=[f"{host.url}/ca"]))
        forged = make_identity("server", MALLORY, issuer_urls=[f"{host.url}/ca"])
        assert sdk_accepts(forged)
        assert not self.we_accept(forged)

    def test_the_second_try_of_an_attacker(self, host: Server, sdk_accepts: Callable[[Identity], bool]) -> None:
        """The SDK remembers an issuer before it knows whether a root vouches for it."""
        forged = make_identity("server", MALLORY, issuer_urls=[f"{host.url}/mallory"])
        assert not sdk_accepts(forged)
        assert sdk_accepts(forged)
        assert not self.we_accept(forged)
        assert not self.we_accept(forged)

    def test_an_agents_certificate_as_an_issuers(self, host: Server, sdk_accepts: Callable[[Identity], bool]) -> None:
        """The SDK asks nobody whether he is an authority: any agent may issue a server's certificate."""
        agent = make_identity("mallory.agentid.pub", ROOT)
        answer = raw(agent.certificate_pem.encode())

        def respond(request: Request, _: object) -> bytes:
            return answer

        host.respond = respond
        forged = make_identity("server", agent, issuer_urls=[f"{host.url}/agent"])
        assert sdk_accepts(forged)
        assert not self.we_accept(forged)

    def test_an_agents_certificate_as_the_servers(self, sdk_accepts: Callable[[Identity], bool]) -> None:
        """The SDK asks for no name."""
        agent = make_identity("mallory.agentid.pub", ROOT, names=None)
        assert sdk_accepts(agent)
        assert not self.we_accept(agent, "heartbeat.example")


@pytest.fixture
def throwaway(tmp_path: Path) -> Credentials:
    return make_throwaway(tmp_path, AGENT, PASSWORD)


class TestThrowawayIdentity:
    def test_the_sdk_loads_it(self, tmp_path: Path, throwaway: Credentials) -> None:
        sdk = CAClient("https://ca.example", str(tmp_path), PASSWORD)
        key = sdk.load_private_key(AGENT)
        assert isinstance(key.curve, ec.SECP384R1)  # the curve of the SDK's own keys
        public_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert public_key.decode() == throwaway.public_key_pem
        assert sdk.load_certificate_pem(AGENT) == throwaway.certificate_pem
        assert sdk.resign_csr(AGENT)  # it finds the certificate valid, so it asks nobody for a new one

    def test_the_sdk_signs_in_with_it(self, tmp_path: Path, throwaway: Credentials) -> None:
        with ServerThread() as server:
            folder = CAClient("https://ca.example", str(tmp_path), PASSWORD).get_aid_certs_path(AGENT)
            client = AuthClient(AGENT, server.url, folder, PASSWORD)
            session = client.sign_in()
            assert session["port"] == server.udp_address[1]
            client.sign_out()
            assert server.statistics().sign_outs == 1

    def test_the_sdks_files_are_ours(self, tmp_path: Path) -> None:
        sdk = CAClient("https://ca.example", str(tmp_path), PASSWORD)
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
            made = make_identity(AGENT, curve=curve)
            sdk.save_private_key_to_file(AGENT, made.key)
            sdk.save_cert_to_file(AGENT, made.certificate_pem)
            credentials = Credentials.load(tmp_path, AGENT, PASSWORD)
            assert credentials.certificate_pem == made.certificate_pem
            made.key.public_key().verify(credentials.sign(b"nonce"), b"nonce", ec.ECDSA(SHA256()))
