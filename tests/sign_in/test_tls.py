"""Which URLs and which TLS certificates are taken, against real TLS servers."""

import re
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import pytest

from agentcp_fsm.errors import ConfigError, FailureKind
from agentcp_fsm.sign_in import AuthClient, Transport
from tests.sign_in.calls import CREDENTIALS, HURRIED, SESSION, assert_ends_at_once, failure_of
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.servers import (
    Server,
    SignInService,
    dripping,
)

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


class TestTLS:
    @staticmethod
    def context(identity: Identity, folder: Path) -> ssl.SSLContext:
        file = folder / "server.pem"
        file.write_text(identity.key_pem + identity.certificate_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    @pytest.fixture
    def authority(self) -> Identity:
        return make_identity("ca", authority=True)

    @pytest.fixture
    def authority_file(self, authority: Identity, tmp_path: Path) -> Path:
        file = tmp_path / "ca.pem"
        file.write_text(authority.certificate_pem)
        return file

    @pytest.fixture
    def tls_server(self, authority: Identity, service: SignInService, tmp_path: Path) -> Iterator[Server]:
        with Server(service, self.context(make_identity("server", authority), tmp_path)) as server:
            yield server

    def test_a_private_authority_is_trusted_by_its_file(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url, verify=authority_file) as client:
            assert client.sign_in(CREDENTIALS) == SESSION
        assert len({request.peer for request in tls_server.requests}) == 1

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_or_by_the_environments_as_requests_does(
        self, variable: str, tls_server: Server, authority_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was not: a company's machines name their authority so."""
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere")
        monkeypatch.setenv(variable, str(authority_file))
        with AuthClient(tls_server.url) as client:
            assert client.sign_in(CREDENTIALS) == SESSION
        with AuthClient(tls_server.url, verify=certifi.where()) as client:  # what is given counts before it
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.UNPROVEN_SERVER
        monkeypatch.setenv(variable, "")
        monkeypatch.setenv("CURL_CA_BUNDLE", "")
        with AuthClient(tls_server.url) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.UNPROVEN_SERVER

    def test_an_environments_authority_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
        with pytest.raises(ConfigError, match=r"REQUESTS_CA_BUNDLE names .*absent\.pem, from which no certificate can"):
            AuthClient("https://heartbeat.example")

    def test_and_refused_without(self, tls_server: Server) -> None:
        with AuthClient(tls_server.url) as client:
            failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        assert failure.permanent
        assert "TLS certificate" in str(failure)
        assert tls_server.requests == []

    def test_trust_is_not_shared_through_a_transport(self, tls_server: Server, authority_file: Path) -> None:
        transport = Transport()
        assert AuthClient(tls_server.url, verify=authority_file, transport=transport).sign_in(CREDENTIALS) == SESSION
        failure = failure_of(lambda: AuthClient(tls_server.url, transport=transport).sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.UNPROVEN_SERVER
        transport.close()

    def test_a_certificate_for_another_host(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url.replace("127.0.0.1", "localhost"), verify=authority_file) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.UNPROVEN_SERVER

    def test_a_server_without_tls(self) -> None:
        def answer_in_the_clear() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            pool.submit(answer_in_the_clear)
            with AuthClient(f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
                failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert re.search(r"what answers speaks no TLS \(OpenSSL: (wrong version number|http request)\): ", str(failure))

    def test_a_server_that_leaves_in_the_midst_of_the_handshake(self) -> None:
        def leave() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65536)

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            pool.submit(leave)
            with AuthClient(f"https://127.0.0.1:{listener.getsockname()[1]}") as client:
                failure = failure_of(lambda: client.sign_in(CREDENTIALS))
        assert failure.kind is FailureKind.NETWORK
        assert "the connection was closed in the middle of TLS: check" in str(failure)

    def test_a_server_that_drips_over_tls(self, tls_server: Server, authority_file: Path) -> None:
        tls_server.respond = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
        with AuthClient(tls_server.url, verify=authority_file, timeouts=HURRIED) as client:
            assert failure_of(lambda: client.sign_in(CREDENTIALS)).kind is FailureKind.TIMEOUT

    def test_an_abandoned_sign_in_over_tls(self, tls_server: Server, authority_file: Path) -> None:
        with AuthClient(tls_server.url, verify=authority_file) as client:
            assert_ends_at_once(client, tls_server)

    def test_verification_cannot_be_turned_off(self) -> None:
        with pytest.raises(ConfigError, match="verify cannot be turned off"):
            AuthClient("https://heartbeat.example", verify=False)

    def test_an_authority_file_that_cannot_work(self, tmp_path: Path) -> None:
        (tmp_path / "junk.pem").write_text("junk")
        for path in (tmp_path / "none.pem", str(tmp_path / "junk.pem")):
            with pytest.raises(ConfigError, match=r"verify \(--ca-file\) names"):
                AuthClient("https://heartbeat.example", verify=path)


class TestURL:
    @pytest.mark.parametrize(
        "url",
        ["", "heartbeat.example", "ftp://heartbeat.example", "https://", "https://h:99999", "https://h e", "https://["],
    )
    def test_what_is_no_url(self, url: str) -> None:
        with pytest.raises(ConfigError, match=r"the server's URL .*give one such as https://"):
            AuthClient(url)

    @pytest.mark.parametrize("part", ["https://user:secret@h", "https://h/?a=b", "https://h/#a"])
    def test_a_url_with_more_than_a_server(self, part: str) -> None:
        with pytest.raises(ConfigError, match="a user, a query or a fragment") as caught:
            AuthClient(part)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            "http://heartbeat.example",
            "http://192.0.2.1",
            "http://127.0.0.1.example",
            "HTTP://Localhost.example",
            "http://[::2]",
        ],
    )
    def test_plain_http_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError, match="allow_insecure_http"):
            AuthClient(url)
        AuthClient(url, allow_insecure_http=True)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.8.8.8", "http://[::1]:1", "HTTP://LOCALHOST"])
    def test_plain_http_to_loopback_is_allowed(self, url: str) -> None:
        AuthClient(url)

    def test_no_trust_roots_is_not_an_empty_list_of_them(self) -> None:
        with pytest.raises(ConfigError, match="trust_roots is empty"):
            AuthClient("https://heartbeat.example", trust_roots=[])

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"trust_roots": "root.pem"}, r"trust_roots is 'root.pem'.*load_trust_roots"),
            ({"trust_roots": ["root.pem"]}, r"trust_roots is \['root.pem'\].*load_trust_roots"),
            ({"server_proof": "always"}, r"server_proof is 'always': give 'verify_if_offered' or 'require'"),
            ({"verify": 5}, "verify is 5: give True, or the path"),
        ],
    )
    def test_an_option_of_the_wrong_kind_is_one_clear_error(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            AuthClient("https://heartbeat.example", **options)
