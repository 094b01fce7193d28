"""The examination of an agent, with real servers, files and networks, healthy and faulty."""

import json
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agentcp_fsm import doctor
from agentcp_fsm.doctor import STEPS, Examination, Finding, Outcome, server_at, server_named_by
from agentcp_fsm.errors import AgentCPError
from agentcp_fsm.server import ServerThread, SignInFault, Unauthorized
from agentcp_fsm.sign_in import ClientOptions, Credentials, Timeouts
from agentcp_fsm.sign_in.identities import make_identity as make_throwaway
from tests.sign_in.certificates import Identity, key_pem, make_identity
from tests.sign_in.servers import Request, Server, SignInService, sending

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")

AGENT = "alice.agentid.pub"
PASSWORD = "sésame, open"
OK, WARNING, FAILED, SKIPPED = Outcome


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "HEARTBEAT_TIMEOUT", 20.0)  # a busy machine is no lossy network


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, patient: None) -> None:
    """For heartbeats that nobody answers."""
    monkeypatch.setattr(doctor, "HEARTBEAT_TIMEOUT", 0.05)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_throwaway(tmp_path, AGENT, PASSWORD)
    return tmp_path


@pytest.fixture
def examine(data: Path, server: ServerThread) -> Callable[..., dict[str, Finding]]:
    def examine(
        url: str | None = None, password: str | None = PASSWORD, timeouts: Timeouts | None = None, **options: Any
    ) -> dict[str, Finding]:
        trust: ClientOptions = {**options}  # type: ignore[typeddict-item]
        examination = Examination(
            AGENT, data, server_at(url or server.url), password=password, timeouts=timeouts, options=trust
        )
        found = list(examination.findings())
        assert [finding.step for finding in found] == list(STEPS)
        json.dumps([asdict(finding) for finding in found])  # for programs
        return {finding.step: finding for finding in found}

    return examine


Examine = Callable[..., dict[str, Finding]]


def outcomes(found: dict[str, Finding]) -> dict[str, Outcome]:
    return {step: finding.outcome for step, finding in found.items() if finding.outcome is not OK}


def store(folder: Path, identity: Identity) -> None:
    """Put another identity in the place of the throwaway one."""
    certs = folder / AGENT / "private" / "certs"
    (certs / f"{AGENT}.key").write_text(key_pem(identity.key, PASSWORD))
    (certs / f"{AGENT}.crt").write_text(identity.certificate_pem)


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
        assert found[0].outcome is FAILED
        assert "'../x' cannot be a file's name" in found[0].says


class TestTheWay:
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
        monkeypatch.setenv("http_proxy", server.url)  # it answers whatever host is asked for
        found = examine("http://heartbeat.invalid", allow_insecure_http=True)
        assert outcomes(found) == {"TLS": WARNING}
        assert "the proxy" in found["server"].says + found["name"].says + found["connection"].says
        monkeypatch.setenv("https_proxy", server.url)
        found = examine("https://heartbeat.invalid", timeouts=Timeouts(total=0.5))
        assert found["TLS"].outcome is OK
        assert "judged by the sign-in" in found["TLS"].says

    def test_plain_http_away_from_this_machine(self, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "is_loopback", lambda host: False)
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


class TestTheSession:
    def test_a_server_that_refuses_the_agent(self, examine: Examine, server: ServerThread) -> None:
        server.set_faults(sign_in=SignInFault.STATUS, status=403)
        found = examine()
        assert outcomes(found) == {"sign-in": FAILED, "heartbeat": SKIPPED, "sign-out": SKIPPED}
        assert "HTTP status 403" in found["sign-in"].says
        assert "operator to admit the agent" in found["sign-in"].says
        assert found["clock"].outcome is OK  # a refusal tells the time, too

    def test_a_server_without_the_proof_that_is_asked_for(self, examine: Examine) -> None:
        root = make_identity("root", authority=True)
        found = examine(trust_roots=[root.certificate])
        assert found["sign-in"].outcome is FAILED
        assert "offers no proof" in found["sign-in"].says

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("fault", [{"drop": 1.0}, {"silent": True}])
    def test_no_heartbeat_is_answered(self, examine: Examine, server: ServerThread, fault: dict[str, Any]) -> None:
        server.set_faults(**fault)
        found = examine()
        assert outcomes(found) == {"heartbeat": FAILED}
        assert f"3 heartbeats to 127.0.0.1 port {server.udp_address[1]} (UDP)" in found["heartbeat"].says
        assert "firewall" in found["heartbeat"].remedy
        assert server.statistics().sessions == 0

    def test_nobody_takes_heartbeats(self, data: Path) -> None:
        service = SignInService()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            service.session["port"] = taken.getsockname()[1]
        with Server(service) as server:
            examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD)
            found = {each.step: each for each in examination.findings()}
        assert found["heartbeat"].outcome is FAILED
        assert "Connection refused" in found["heartbeat"].says

    def test_a_loss_is_a_warning(self, examine: Examine, server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
        losses = iter([1.0, 1.0, 0.0])
        really = socket.socket.send

        def send(opened: socket.socket, data: bytes) -> int:
            if opened.type is socket.SOCK_DGRAM:  # the loop of the server has streams
                loss = next(losses)
                server.set_faults(drop=loss)
                monkeypatch.setattr(doctor, "HEARTBEAT_TIMEOUT", 0.05 if loss else 20.0)
            return really(opened, data)

        monkeypatch.setattr(socket.socket, "send", send)
        found = examine()
        assert outcomes(found) == {"heartbeat": WARNING}
        assert "2 of 3 unanswered" in found["heartbeat"].says

    def test_a_401(self, examine: Examine, server: ServerThread) -> None:
        server.set_faults(unauthorized=Unauthorized.ON)
        found = examine()
        assert outcomes(found) == {"heartbeat": FAILED}
        assert "answers 401" in found["heartbeat"].says

    @pytest.mark.usefixtures("impatient")
    def test_malformed_answers_and_invitations_are_none(self, data: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as strange:
            strange.bind(("127.0.0.1", 0))
            service = SignInService()
            service.session["port"] = strange.getsockname()[1]

            def send(opened: socket.socket, heartbeat: bytes) -> int:
                sent = really(opened, heartbeat)
                for answer in (b"", b"junk", heartbeat):
                    strange.sendto(answer, opened.getsockname())
                return sent

            really = socket.socket.send
            with Server(service) as server, pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket.socket, "send", send)
                examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD)
                found = {each.step: each for each in examination.findings()}
        assert found["heartbeat"].outcome is FAILED
        assert "no answer" in found["heartbeat"].says

    def test_a_sign_out_that_fails(self, examine: Examine, server: ServerThread) -> None:
        server.set_faults(sign_out=SignInFault.STATUS, status=500)
        assert outcomes(examine()) == {"sign-out": FAILED}

    def test_who_stops_early_is_signed_out(self, data: Path, server: ServerThread) -> None:
        findings = Examination(AGENT, data, server_at(server.url), password=PASSWORD).findings()
        for finding in findings:
            if finding.step == "sign-in":
                assert server.statistics().sessions == 1
                break
        findings.close()
        assert server.statistics().sessions == 0


@pytest.mark.usefixtures("impatient")
class TestTheClock:
    def clock(self, data: Path, date: Callable[[], str | None]) -> Finding:
        service = SignInService()

        def respond(request: Request, connection: socket.socket) -> bytes | None:
            answer = service(request, connection) or b""
            if (now := date()) is None:
                return answer
            first, _, rest = answer.partition(b"\r\n")
            return b"\r\n".join([first, f"Date: {now}".encode(), rest])

        with Server(respond) as server:
            examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD)
            return next(each for each in examination.findings() if each.step == "clock")

    @pytest.mark.parametrize(
        ("server_is_ahead", "outcome", "says"),
        [(3600, WARNING, "behind"), (-3600, WARNING, "ahead of"), (20, OK, "behind"), (0, OK, "agrees")],
    )
    def test_an_offset(self, data: Path, server_is_ahead: float, outcome: Outcome, says: str) -> None:
        ahead = timedelta(seconds=server_is_ahead)
        finding = self.clock(data, lambda: format_datetime(datetime.now(UTC) + ahead, usegmt=True))
        assert finding.outcome is outcome
        assert says in finding.says
        assert finding.facts["offset"] == pytest.approx(-server_is_ahead, abs=finding.facts["margin"])
        assert bool(finding.remedy) is (outcome is WARNING)

    @pytest.mark.parametrize("date", [None, "yesterday"])
    def test_a_server_that_tells_no_time(self, data: Path, date: str | None) -> None:
        finding = self.clock(data, lambda: date)
        assert finding.outcome is SKIPPED
        assert "no answer of the server tells its time" in finding.says


def test_an_unknown_codec_is_refused_before_anything_is_begun(data: Path) -> None:
    with pytest.raises(AgentCPError, match="codec is 'morse'"):
        Examination(AGENT, data, server_at("http://127.0.0.1:1"), codec="morse")


def test_an_answer_that_is_no_sign_in(data: Path) -> None:
    with Server(sending(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as server:
        examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD)
        found = {each.step: each for each in examination.findings()}
    assert found["sign-in"].outcome is FAILED
    assert "is not a JSON object" in found["sign-in"].says
