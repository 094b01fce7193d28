"""The examination of an agent, with real servers, files and networks, healthy and faulty."""

import logging
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agentcp_fsm.doctor import STEPS, Examination, Finding, Outcome, examination, server_at, server_named_by
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ServerThread, SignInFault
from agentcp_fsm.sign_in import ClientOptions, Credentials, Timeouts
from agentcp_fsm.sign_in.identities import make_identity as make_throwaway
from tests.doctor.examined import AGENT, FAILED, OK, PASSWORD, SKIPPED, WARNING, Examine, outcomes, store
from tests.sign_in.certificates import Identity, make_identity
from tests.sign_in.servers import Server, SignInService

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


class TestAllIsWell:
    def test_every_step_is_really_taken(self, examine: Examine, server: ServerThread) -> None:
        found = examine()
        assert outcomes(found) == {}
        statistics = server.statistics()
        assert (statistics.sign_ins, statistics.sign_outs, statistics.sessions) == (1, 1, 0)
        view = server.agent(AGENT)
        assert view is not None
        assert view.heartbeats == 1
        assert found["heartbeat"].facts["next_beat"] == 7.0
        assert 0 < found["heartbeat"].facts["round_trip"] < 1
        assert found["key"].facts == {"curve": "secp384r1", "encrypted": True}
        assert abs(found["clock"].facts["offset"]) <= 1.5
        assert found["sign-in"].facts["proof_offered"] is False

    def test_with_the_servers_proof(self, data: Path) -> None:
        root = make_identity("root", authority=True)
        proven = make_identity("server", root)
        credentials = Credentials.from_pem("server", proven.key_pem, proven.certificate_pem)
        with ServerThread(credentials=credentials) as server:
            choices: list[tuple[ClientOptions, str]] = [
                ({"trust_roots": [root.certificate]}, "a trusted root vouches for it"),
                ({}, "no root was asked"),
            ]
            for options, says in choices:
                found = {
                    each.step: each
                    for each in Examination(
                        AGENT, data, server_at(server.url), password=PASSWORD, options=options
                    ).findings()
                }
                assert outcomes(found) == {}
                assert says in found["sign-in"].says
                assert found["sign-in"].facts["proof_has_root"] is bool(options)

    def test_over_ipv6_and_the_other_codec(self, data: Path) -> None:
        from agentcp_fsm.wire import codec_named

        with ServerThread("::1", codec=codec_named("protobuf")) as server:
            examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD, codec="protobuf")
            assert {finding.outcome for finding in examination.findings()} == {OK}

    def test_a_name_is_looked_up(self, examine: Examine, server: ServerThread) -> None:
        found = examine(server.url.replace("127.0.0.1", "localhost"))
        assert outcomes(found) == {}
        assert "127.0.0.1" in found["name"].facts["addresses"]


class TestTheAgent:
    def test_no_files(self, examine: Examine, data: Path) -> None:
        (data / AGENT / "private" / "certs" / f"{AGENT}.crt").unlink()
        found = examine()
        expected = dict.fromkeys(("key", "certificate", "sign-in", "heartbeat", "sign-out", "clock"), SKIPPED)
        assert outcomes(found) == expected | {"files": FAILED}
        assert f"{AGENT}.crt does not exist" in found["files"].says
        assert found["heartbeat"].says == "not tried, because of: sign-in"

    def test_files_that_others_can_read(self, examine: Examine, data: Path) -> None:
        (data / AGENT / "private" / "certs" / f"{AGENT}.key").chmod(0o644)
        found = examine()
        assert outcomes(found) == {"files": WARNING}
        assert "chmod 600 it" in found["files"].says

    @pytest.mark.parametrize("password", [None, "mellon"], ids=["none", "another"])
    def test_a_wrong_password(self, examine: Examine, password: str | None, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        found = examine(password=password)
        assert found["key"].outcome is FAILED
        assert "seed password" in found["key"].says
        assert found["certificate"].outcome is SKIPPED
        assert found["TLS"].outcome is OK  # the way to the server is looked at all the same
        assert "mellon" not in found["key"].says + caplog.text

    def test_a_password_is_asked_for_only_if_needed(self, tmp_path: Path, data: Path, server: ServerThread) -> None:
        asked: list[bool] = []

        def ask() -> str:
            asked.append(True)
            return PASSWORD

        def examine(folder: Path) -> None:
            examination = Examination(AGENT, folder, server_at(server.url), ask_password=ask)
            assert {finding.outcome for finding in examination.findings()} == {OK}

        examine(data)
        assert asked == [True]
        make_throwaway(tmp_path / "plain", AGENT)
        examine(tmp_path / "plain")
        assert asked == [True]

    @pytest.mark.parametrize(
        ("identity", "outcome", "says"),
        [
            (make_identity(AGENT, valid_until=timedelta(hours=-1)), FAILED, "expired on"),
            (make_identity(AGENT, valid_from=timedelta(hours=1)), FAILED, "not valid before"),
            (make_identity(AGENT, valid_from=timedelta(days=-99)), WARNING, "valid until"),
            (make_identity("bob.agentid.pub"), WARNING, "its common name is bob.agentid.pub, not alice.agentid.pub"),
        ],
        ids=["expired", "future", "ends soon", "another's"],
    )
    def test_a_certificate(self, examine: Examine, data: Path, identity: Identity, outcome: Outcome, says: str) -> None:
        store(data, identity)
        found = examine()
        assert found["certificate"].outcome is outcome
        assert says in found["certificate"].says
        if outcome is WARNING:
            assert found["certificate"].remedy

    def test_an_impossible_agent_id(self, data: Path, server: ServerThread) -> None:
        found = list(Examination("../x", data, server_at(server.url)).findings())
        assert found[1].outcome is FAILED
        assert "'../x' cannot be a file's name" in found[1].says


class TestTheWay:
    @pytest.fixture
    def names(self) -> tuple[str, ...]:
        """What is asked through a proxy, which the server takes the place of."""
        return ("heartbeat.invalid",)

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://192.0.2.1"])
    def test_a_url_that_cannot_work(self, examine: Examine, url: str) -> None:
        found = examine(url)
        assert outcomes(found) == dict.fromkeys(STEPS[4:], SKIPPED) | {"server": FAILED}
        assert url in found["server"].says

    def test_a_server_that_is_not_found(self, data: Path) -> None:
        """Finding the server may need the agent, and may fail."""
        seen: list[Credentials | None] = []

        def find(credentials: Credentials | None) -> str:
            seen.append(credentials)
            raise AgentCPError("the access point is down: try later")

        for password in (PASSWORD, "wrong"):
            found = {each.step: each for each in Examination(AGENT, data, find, password=password).findings()}
            assert found["server"].outcome is FAILED
            assert found["server"].says == "the access point is down: try later"
        assert isinstance(seen[0], Credentials)
        assert seen[1] is None

    def test_a_server_that_the_access_point_names(self, data: Path, server: ServerThread) -> None:
        def examine(password: str) -> dict[str, Finding]:
            find = server_named_by(AGENT, server.url, {})
            return {each.step: each for each in Examination(AGENT, data, find, password=password).findings()}

        found = examine(PASSWORD)
        assert outcomes(found) == {}
        assert found["server"].facts["url"] == server.url
        assert server.statistics().access_point_sign_ins == 1
        found = examine("mellon")
        assert found["server"].outcome is SKIPPED
        assert "asks for the agent's certificate" in found["server"].says
        server.set_faults(access_point=SignInFault.STATUS, status=403)
        found = examine(PASSWORD)
        assert found["server"].outcome is FAILED
        assert "sign-in at the access point" in found["server"].says

    def test_an_agent_id_that_names_no_access_point(self, tmp_path: Path) -> None:
        make_throwaway(tmp_path, "bob", PASSWORD)
        examination = Examination("bob", tmp_path, server_named_by("bob", None, {}), password=PASSWORD)
        found = {each.step: each for each in examination.findings()}
        assert found["server"].outcome is FAILED
        assert "names no access point" in found["server"].says

    def test_a_name_that_is_none(self, examine: Examine) -> None:
        found = examine("https://nowhere.invalid")
        assert found["name"].outcome is FAILED
        assert "nowhere.invalid cannot be resolved" in found["name"].says
        assert "name servers" in found["name"].remedy
        assert found["connection"].outcome is SKIPPED

    def test_nobody_listens(self, examine: Examine) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = examine(f"http://127.0.0.1:{port}")
        assert found["connection"].says == f"no connection to 127.0.0.1 port {port}: Connection refused"
        assert "firewalls" in found["connection"].remedy

    def test_nobody_answers(self, examine: Examine) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as queued:
            queued.connect(listener.getsockname())  # fills the queue: the next one's SYN goes unanswered
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            found = examine(url, timeouts=Timeouts(connect=0.2))
        assert "no answer in time" in found["connection"].says

    def test_a_proxy_is_left_to_the_sign_in(
        self, examine: Examine, server: ServerThread, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ServerThread(names=["heartbeat.invalid"]) as behind:
            monkeypatch.setenv("http_proxy", behind.url)  # the server takes the proxy's part
            found = examine("http://heartbeat.invalid", allow_insecure_http=True)
        assert outcomes(found) == {"TLS": WARNING, "sign-in": FAILED, "heartbeat": SKIPPED, "sign-out": SKIPPED}
        assert "a loopback address, to which no server elsewhere may send" in found["sign-in"].says
        assert "the proxy" in found["server"].says + found["name"].says + found["connection"].says
        monkeypatch.setenv("https_proxy", server.url)
        found = examine("https://heartbeat.invalid", timeouts=Timeouts(total=0.5))
        assert found["TLS"].outcome is OK
        assert "judged by the sign-in" in found["TLS"].says

    def test_plain_http_away_from_this_machine(self, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(examination, "is_loopback", lambda host: False)
        assert outcomes(examine()) == {"TLS": WARNING}


class TestTLS:
    AUTHORITY = make_identity("ca", authority=True)

    @pytest.fixture
    def authorities(self, tmp_path: Path) -> Path:
        file = tmp_path / "ca.pem"
        file.write_text(self.AUTHORITY.certificate_pem)
        return file

    def examine_tls(self, data: Path, identity: Identity, verify: Path | bool, host: str = "127.0.0.1") -> Finding:
        file = data / "tls.pem"
        file.write_text(identity.key_pem + identity.certificate_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        with Server(SignInService(), context) as server:
            url = server.url.replace("127.0.0.1", host)
            examination = Examination(AGENT, data, server_at(url), password=PASSWORD, options={"verify": verify})
            return next(finding for finding in examination.findings() if finding.step == "TLS")

    def test_a_good_certificate(self, data: Path, authorities: Path) -> None:
        good = make_identity("server", self.AUTHORITY, valid_until=timedelta(days=30))
        finding = self.examine_tls(data, good, authorities)
        assert finding.outcome is OK
        assert finding.says.startswith("TLSv1.3, certificate of 127.0.0.1 until ")
        assert finding.facts["not_after"] == good.certificate.not_valid_after_utc.isoformat()

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_of_an_authority_that_the_environment_names(
        self, data: Path, authorities: Path, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.setenv(variable, str(authorities))
        good = make_identity("server", self.AUTHORITY, valid_until=timedelta(days=30))
        finding = self.examine_tls(data, good, verify=True)
        assert finding.outcome is OK
        assert finding.says.endswith(f", by the authorities that {variable} names")
        assert finding.facts["authorities"] == str(authorities)

    def test_one_that_ends_soon(self, data: Path, authorities: Path) -> None:
        finding = self.examine_tls(data, make_identity("server", self.AUTHORITY), authorities)
        assert finding.outcome is WARNING
        assert "renew" in finding.remedy

    def test_of_another_host(self, data: Path, authorities: Path) -> None:
        other = make_identity("server", self.AUTHORITY, names=[x509.DNSName("other.example")])
        for identity, host in ((other, "localhost"), (make_identity("server", self.AUTHORITY), "localhost")):
            finding = self.examine_tls(data, identity, authorities, host)
            assert finding.outcome is FAILED
            assert "Hostname mismatch" in finding.says
            assert "check the server's URL" in finding.remedy

    def test_expired(self, data: Path, authorities: Path) -> None:
        expired = make_identity("server", self.AUTHORITY, valid_until=timedelta(hours=-1))
        finding = self.examine_tls(data, expired, authorities)
        assert finding.outcome is FAILED
        assert "expired" in finding.says
        assert "clock" in finding.remedy

    def test_of_an_unknown_authority(self, data: Path) -> None:
        finding = self.examine_tls(data, make_identity("server", self.AUTHORITY), verify=True)
        assert finding.outcome is FAILED
        assert "--ca-file" in finding.remedy

    def test_a_server_without(self, examine: Examine, server: ServerThread) -> None:
        found = examine(server.url.replace("http:", "https:"))
        assert found["TLS"].outcome is FAILED
        assert "begins with http" in found["TLS"].remedy
        assert found["sign-in"].outcome is SKIPPED


def test_an_unknown_codec_is_refused_before_anything_is_begun(data: Path) -> None:
    with pytest.raises(AgentCPError, match="codec is 'morse'"):
        Examination(AGENT, data, server_at("http://127.0.0.1:1"), codec="morse")
