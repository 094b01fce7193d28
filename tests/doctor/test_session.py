"""The doctor's steps that sign in, send heartbeats and compare clocks."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.doctor import Examination, Finding, Outcome, heartbeat, server_at
from agentcp_fsm.server import ServerThread, SignInFault, Unauthorized
from tests.doctor.examined import AGENT, FAILED, OK, PASSWORD, SKIPPED, WARNING, Examine, outcomes
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Request, Server, SignInService, sending

pytestmark = pytest.mark.usefixtures("no_proxy_in_the_environment")


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
                monkeypatch.setattr(heartbeat, "HEARTBEAT_TIMEOUT", 0.05 if loss else 20.0)
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
        assert "no answer of the server has a date" in finding.says


def test_an_answer_that_is_no_sign_in(data: Path) -> None:
    with Server(sending(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as server:
        examination = Examination(AGENT, data, server_at(server.url), password=PASSWORD)
        found = {each.step: each for each in examination.findings()}
    assert found["sign-in"].outcome is FAILED
    assert "is not a JSON object" in found["sign-in"].says
