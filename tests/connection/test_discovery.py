"""A connection that asks its agent's access point for the server, and asks again when nothing comes of that server."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agentcp_fsm import (
    AsyncConnection,
    Config,
    ConfigError,
    Connection,
    Credentials,
    CredentialsError,
    ReportTransition,
    SignInError,
    State,
)
from agentcp_fsm.server import ServerThread, SignInFault
from agentcp_fsm.sign_in import Abandonment
from agentcp_fsm.sign_in.identities import make_identity
from tests.connection.peer import FAST, nothing_left
from tests.sign_in import certificates
from tests.waiting import online, until

ALICE = "alice.agentid.pub"
BOUND = 20.0
PATIENT = replace(
    FAST, silence_limit=40, probe_interval=0.2, socket_timeout=1.0, sign_in_timeout=4.0, discovery_interval_min=0.0
)
"""The access point may be asked at every attempt; and a busy machine is no lost connection."""


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return make_identity(tmp_path_factory.mktemp("agents"), ALICE)


@pytest.fixture(scope="session")
def next_beat() -> float:
    return 0.05


@pytest.fixture
def access_point(next_beat: float) -> Iterator[ServerThread]:
    """Of whose access point we make use; as a server it is one of those that are named."""
    with ServerThread(next_beat=next_beat) as server:
        yield server


def discover(access_point: ServerThread, credentials: Credentials, config: Config = PATIENT) -> Connection:
    return Connection(ALICE, credentials=credentials, access_point=access_point.url, config=config)


def is_reached(server: ServerThread) -> bool:
    """Whether heartbeats of a session are answered there."""
    agent = server.agent(ALICE)
    return agent is not None and agent.online


def test_it_goes_where_the_access_point_says_and_leaves_nothing(
    access_point: ServerThread, server: ServerThread, credentials: Credentials
) -> None:
    access_point.set_faults(heartbeat_server=server.url)
    with nothing_left():
        for _ in range(2):
            with discover(access_point, credentials) as connection:
                online(connection)
                assert connection.health().server == f"127.0.0.1:{server.udp_address[1]}"
    assert access_point.statistics().sign_ins == 0
    assert (server.statistics().sign_ins, server.statistics().sign_outs) == (2, 2)
    assert access_point.statistics().configs == 2
    assert access_point.statistics().access_point_sign_outs == 2


def test_the_other_face_has_it_too(access_point: ServerThread, credentials: Credentials) -> None:
    async def main() -> list[Any]:
        async with AsyncConnection(
            ALICE, credentials=credentials, access_point=access_point.url, config=PATIENT
        ) as connection:
            assert await connection.wait_for(State.ONLINE, timeout=BOUND)
            return await connection.query_online_state([ALICE])

    assert asyncio.run(main()) == [{"agent_id": ALICE, "online": True}]


def test_over_ipv6(credentials: Credentials) -> None:
    with ServerThread("::1", next_beat=0.05) as server, discover(server, credentials) as connection:
        online(connection)
        assert str(connection.health().server).startswith("::1")


def test_a_question_that_a_stop_overtakes_fails_as_questions_do(
    access_point: ServerThread, credentials: Credentials
) -> None:
    with discover(access_point, credentials) as connection:
        online(connection)
        ask = connection._online_state_query([ALICE])
    with pytest.raises(SignInError):
        ask(Abandonment())


@pytest.mark.parametrize(
    ("agent_id", "options", "error"),
    [
        ("bob.agentid.pub", {}, ConfigError),
        (ALICE, {"access_point": "127.0.0.1:1"}, ConfigError),
        (ALICE, {"access_point": "http://198.51.100.1"}, ConfigError),
        (ALICE, {"verify": False}, ConfigError),
        (ALICE, {"verify": "/nowhere"}, ConfigError),
        (ALICE, {"trust_roots": []}, ConfigError),
        (ALICE, {"server_name": "heartbeat.example"}, ConfigError),
        (ALICE, {"codec": "json"}, ConfigError),
        (ALICE, {"credentials": None}, ConfigError),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    credentials: Credentials, agent_id: str, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Connection(agent_id, **{"credentials": credentials, **options})


def test_access_point_and_server_prove_themselves_alike(credentials: Credentials) -> None:
    """To the same roots; `server_name` is what the server is called, not the access point."""
    root = certificates.make_identity("root", authority=True)
    names = [certificates.LOOPBACK, x509.DNSName("heartbeat.example")]
    proven = certificates.make_identity("server", root, names=names)
    own = Credentials.from_pem("server", proven.key_pem, proven.certificate_pem)

    def discovered(server: ServerThread, **options: Any) -> Connection:
        return Connection(ALICE, credentials=credentials, access_point=server.url, config=PATIENT, **options)

    with ServerThread(next_beat=0.05, credentials=own) as server:
        for name in (None, "heartbeat.example"):
            with discovered(server, trust_roots=[root.certificate], server_name=name) as connection:
                online(connection)
        told: list[ReportTransition] = []
        asked = server.statistics().configs
        connection = discovered(server, trust_roots=[root.certificate], server_name="elsewhere.example")
        connection.on_transition(told.append)
        with connection:
            until(lambda: any(each.dest == State.BACKOFF for each in told))
        assert server.statistics().configs == asked + 1, "the access point proved itself"
        server.set_faults(access_point=SignInFault.BAD_PROOF)
        told.clear()
        connection = discovered(server)
        connection.on_transition(told.append)
        with connection:
            until(lambda: any(each.dest == State.BACKOFF for each in told))
        failed = next(each for each in told if each.dest == State.BACKOFF)
        assert "failed step: sign-in at the access point" in failed.detail
        assert "fails to prove itself" in failed.detail


def test_an_agent_id_without_an_access_point_is_refused(tmp_path: Path) -> None:
    credentials = make_identity(tmp_path, "alice")
    with pytest.raises(ConfigError, match="names no access point"):
        Connection("alice", credentials=credentials)
    Connection("alice", credentials=credentials, access_point="agentid.pub")
    with pytest.raises(CredentialsError):
        Credentials.load(tmp_path, ALICE)


def test_a_failure_names_the_step_and_what_to_try(access_point: ServerThread, credentials: Credentials) -> None:
    access_point.set_faults(config_call=SignInFault.STATUS, status=503, retry_after="0")
    told: list[ReportTransition] = []
    connection = discover(access_point, credentials)
    connection.on_transition(told.append)
    with connection:
        assert connection.wait_for(State.BACKOFF, timeout=BOUND)
        access_point.clear_faults()
        online(connection)
    failed = next(each for each in told if each.dest == State.BACKOFF)
    assert "failed step: call of get_accesspoint_config" in failed.detail
    assert "503" in failed.detail


# When the server is asked for again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("old", ["gone", "silent", "refuses"])
def test_a_server_that_moved_for_good_is_found(
    access_point: ServerThread, server: ServerThread, credentials: Credentials, old: str
) -> None:
    """Be the old one gone, or still there to sign in at, without ever answering a heartbeat again."""
    impatient = replace(PATIENT, silence_limit=6)
    connection = discover(access_point, credentials, impatient)
    with ServerThread(next_beat=0.05) as left:
        access_point.set_faults(heartbeat_server=left.url)
        connection.start()
        online(connection)
        until(lambda: is_reached(left))
        access_point.set_faults(heartbeat_server=server.url)
        match old:
            case "gone":
                left.stop()
            case "silent":
                left.set_faults(silent=True)
            case "refuses":
                left.set_faults(sign_in=SignInFault.STATUS, status=404)
                left.restart()
        until(lambda: is_reached(server))
        online(connection)
        connection.stop()
    assert server.statistics().sign_outs == 1, "where the session is from"


def test_a_server_that_restarts_costs_its_access_point_nothing(
    access_point: ServerThread, server: ServerThread, credentials: Credentials
) -> None:
    access_point.set_faults(heartbeat_server=server.url)
    with discover(access_point, credentials) as connection:
        for restarts in range(4):
            until(lambda: server.statistics().sign_ins == restarts + 1)  # noqa: B023 - it is called here
            answers = server.statistics().answers
            until(lambda: server.statistics().answers > answers + 1)  # noqa: B023
            server.restart()
        online(connection)
    assert access_point.statistics().configs == 1


@pytest.mark.parametrize("fault", [SignInFault.STATUS, SignInFault.HANG, SignInFault.DOWN])
def test_an_access_point_that_is_of_no_help_keeps_nobody_from_a_server_that_is_known(
    access_point: ServerThread,
    server: ServerThread,
    credentials: Credentials,
    fault: SignInFault,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access_point.set_faults(heartbeat_server=server.url)
    brief = replace(PATIENT, sign_in_timeout=1.0)
    with discover(access_point, credentials, brief) as connection:
        online(connection)
        access_point.set_faults(access_point=fault)
        server.set_faults(sign_in=SignInFault.STATUS, status=503)
        server.restart()
        until(lambda: "it named before, is tried again" in caplog.text)
        server.clear_faults()
        online(connection)
    assert f"{server.url}, which it named before, is tried again" in caplog.text


def test_while_the_server_is_down_the_access_point_is_asked_now_and_then(
    access_point: ServerThread, server: ServerThread, credentials: Credentials
) -> None:
    access_point.set_faults(heartbeat_server=server.url)
    server.set_faults(sign_in=SignInFault.STATUS, status=503)
    rarely = replace(PATIENT, discovery_interval_min=3600.0)
    with discover(access_point, credentials, rarely) as connection:
        until(lambda: connection.health().statistics.failed_attempts >= 5)
        server.clear_faults()
        online(connection)
    assert access_point.statistics().configs == 1
    with discover(access_point, credentials) as connection:
        online(connection)
        server.set_faults(sign_in=SignInFault.STATUS, status=503)
        server.restart()
        failed = connection.health().statistics.failed_attempts
        until(lambda: connection.health().statistics.failed_attempts >= failed + 5)
        assert access_point.statistics().configs > 2


def test_an_access_point_that_asks_for_patience_gets_it(
    access_point: ServerThread, server: ServerThread, credentials: Credentials
) -> None:
    access_point.set_faults(heartbeat_server=server.url)
    with discover(access_point, credentials) as connection:
        online(connection)
        calls = access_point.statistics().calls
        access_point.set_faults(access_point=SignInFault.STATUS, status=429, retry_after="3600")
        server.set_faults(sign_in=SignInFault.STATUS, status=503)
        server.restart()
        until(lambda: connection.health().statistics.failed_attempts >= 5)
        server.clear_faults()
        online(connection)
        assert access_point.statistics().calls == calls + 1


def test_a_session_is_signed_out_where_it_is_from(
    access_point: ServerThread, server: ServerThread, credentials: Credentials
) -> None:
    """Also when the sign-in was abandoned, and another server named since."""
    with ServerThread(next_beat=0.05) as slow:
        access_point.set_faults(heartbeat_server=slow.url)
        slow.set_faults(sign_in=SignInFault.SLOW, slow_seconds=1.5)
        connection = discover(access_point, credentials)
        connection.start()
        until(lambda: slow.statistics().sign_ins == 1)  # and its answer is on the way
        access_point.set_faults(heartbeat_server=server.url)
        connection.reconnect()
        until(lambda: is_reached(server))
        assert connection.stop()
        until(lambda: slow.statistics().sign_outs == 1)
    assert server.statistics().sign_outs == 1


def test_stop_is_prompt_while_the_access_point_hangs(
    access_point: ServerThread, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    access_point.set_faults(access_point=SignInFault.HANG)
    with nothing_left():
        connection = Connection(ALICE, credentials=credentials, access_point=access_point.url)
        connection.start()
        until(lambda: access_point.statistics().calls == 1)
        began = time.monotonic()
        assert connection.stop()
        assert time.monotonic() - began < 5
    assert caplog.text == ""
