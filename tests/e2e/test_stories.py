"""The stories behind the reports from the field, against a server in its own process."""

import os
import threading
import time
from dataclasses import replace

import pytest

from agentcp_fsm import Connection, Credentials, Invitation, ReportTransition, State
from tests.connection.peer import nothing_left
from tests.e2e.conftest import ALICE
from tests.server_process import ServerProcess
from tests.timings import SCALED
from tests.waiting import online, until


def test_steady_heartbeats(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    until(lambda: server.count("heartbeats") >= 20)
    health = connection.health()
    assert health.state is State.ONLINE
    assert health.statistics.attempts == 1
    assert health.statistics.losses == 0
    assert server.count("sign_ins") == 1


def test_an_outage_of_many_intervals(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("fault drop 1")
    assert connection.wait_for(State.DEGRADED, timeout=10)
    assert connection.wait_for(State.RECONNECTING, State.BACKOFF, timeout=10)
    loss = connection.health().statistics.last_loss
    assert loss is not None
    assert "silent" in loss.reason
    until(lambda: connection.health().statistics.failed_attempts >= 2)
    server("ok")
    online(connection)


def test_a_short_outage_costs_no_sign_in(server: ServerProcess, connection: Connection) -> None:
    server("fault next_beat 500")
    until(lambda: connection.health().interval == 0.5)
    server("fault drop 1")
    until(lambda: server.count("dropped") == 1)
    server("fault drop 0")
    assert connection.wait_for(State.DEGRADED, timeout=10)
    online(connection)
    assert server.count("sign_ins") == 1


def test_a_restart_with_401_and_a_move(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    before = connection.health().server
    server("restart")
    assert connection.wait_for(State.BACKOFF, State.RECONNECTING, timeout=10)
    server("move")
    online(connection)
    assert connection.health().server != before
    sent = connection.health().statistics.answers
    until(lambda: connection.health().statistics.answers > sent + 3)


def test_a_move_without_a_word(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("move")
    assert connection.wait_for(State.BACKOFF, State.RECONNECTING, timeout=10)
    online(connection)


def test_offline_and_online_a_hundred_times_leave_nothing(server: ServerProcess, alice: Credentials) -> None:
    with nothing_left():
        connection = Connection(ALICE, server.url, credentials=alice, config=SCALED)
        for _ in range(100):
            connection.start()
            online(connection)
            assert connection.stop()
        assert connection.state is State.OFFLINE
    assert server.count("sign_ins") == server.count("sign_outs") == 100


@pytest.mark.parametrize("damage", ["closed", "replaced"])
def test_a_broken_socket(server: ServerProcess, connection: Connection, damage: str) -> None:
    online(connection)
    number = connection.fileno()
    assert number is not None
    os.close(number)
    if damage == "replaced":
        file = os.open(os.devnull, os.O_RDWR)
        if file != number:
            os.dup2(file, number)
    until(lambda: connection.health().statistics.losses == 1)
    online(connection)
    if damage == "replaced":
        os.fstat(number)  # not closed: it is not the connection's any more
        os.close(number)
        if file != number:
            os.close(file)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("sign_in down", ""),
        ("sign_in hang", ""),
        ("sign_in hang-after-headers", ""),
        ("sign_in slow", ""),
        ("sign_in status status 500", "500"),
        ("sign_in status status 503 retry_after 1", "503"),
        ("sign_in status status 429 retry_after 1", "429"),
        ("sign_in redirect", "302"),
        ("sign_in not-json", ""),
        ("sign_in truncated", ""),
        ("sign_in huge", ""),
        ("sign_in missing-field field server_ip", "server_ip"),
        ("sign_in missing-field field nonce", "nonce"),
        ("sign_in port-out-of-range", "port"),
    ],
)
def test_a_sign_in_that_fails_at_first(server: ServerProcess, alice: Credentials, fault: str, says: str) -> None:
    server(f"fault {fault}")
    told: list[ReportTransition] = []
    connection = Connection(ALICE, server.url, credentials=alice, config=SCALED)
    connection.on_transition(told.append)
    with connection:
        assert connection.wait_for(State.BACKOFF, timeout=10)
        server("ok")
        online(connection)
    failure = next(one for one in told if one.dest == State.BACKOFF)
    assert says in failure.detail
    assert failure.detail or failure.trigger == "deadline_passed"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_rejection_is_reported_and_waits_the_cap(server: ServerProcess, alice: Credentials, status: int) -> None:
    server(f"fault sign_in status status {status}")
    errors: list[str] = []
    connection = Connection(ALICE, server.url, credentials=alice, config=SCALED)
    connection.on_error(errors.append)
    with connection:
        assert connection.wait_for(State.BACKOFF, timeout=10)
        wait = connection.health().next_action
        assert wait is not None
        assert wait > 0.3  # the cap is 0.5 s, the first backoff otherwise at most 0.25 s
        until(lambda: len(errors) == 1)
        assert str(status) in errors[0]
        server("ok")
        online(connection)


def test_a_long_silence_costs_few_sign_ins(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("fault silent on")
    began = time.monotonic()
    until(lambda: server.count("sign_ins") >= 5)
    assert time.monotonic() - began >= 4 * SCALED.sign_in_interval_min - 0.05
    server("ok")
    online(connection)


@pytest.mark.parametrize(
    ("encoding", "next_beat"),
    [("u64", 0), ("u64", 1), ("u64", 2**62), ("u64", 2**64 - 1), ("varint", 0), ("varint", 1), ("varint", 2**49 - 1)],
)
def test_no_next_beat_is_too_absurd(server: ServerProcess, alice: Credentials, encoding: str, next_beat: int) -> None:
    server(f"fault next_beat {next_beat} encoding {encoding}")
    config = replace(SCALED, interval_max=0.3)
    with Connection(ALICE, server.url, credentials=alice, config=config) as connection:
        online(connection)
        seen = server.count("heartbeats")
        until(lambda: server.count("heartbeats") >= seen + 3)


def test_401_as_a_varint_is_recognised(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("fault encoding varint")
    server("restart")
    until(lambda: server.count("sign_ins") == 2)
    online(connection)


def test_answers_from_another_port_do_not_count(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("fault stranger on")
    assert connection.wait_for(State.DEGRADED, timeout=10)
    server("ok")
    online(connection)


def test_lost_late_and_repeated_datagrams(server: ServerProcess, connection: Connection) -> None:
    online(connection)
    server("fault drop 0.2 delay 0.03 copies 3")
    seen = connection.health().statistics.answers
    until(lambda: connection.health().statistics.answers > seen + 30)
    server("ok")
    online(connection)


def test_an_invitation_arrives_while_its_handler_blocks(server: ServerProcess, connection: Connection) -> None:
    release = threading.Event()
    got: list[Invitation] = []

    @connection.on_invite
    def take(invitation: Invitation) -> None:
        got.append(invitation)
        release.wait(20)

    online(connection)
    until(lambda: server.count("heartbeats") >= 2)
    for _ in range(3):
        assert server(f"invite {ALICE} bob.agentid.pub") == f"{ALICE} answered"
    until(lambda: len(got) == 1)
    assert got[0].inviter_agent_id == "bob.agentid.pub"
    seen = server.count("heartbeats")
    until(lambda: server.count("heartbeats") > seen + 3)
    assert len(got) == 1
    release.set()
    until(lambda: len(got) == 3)


def test_over_ipv6(alice: Credentials) -> None:
    with (
        ServerProcess("--host", "::1") as server,
        Connection(ALICE, server.url, credentials=alice, config=SCALED) as connection,
    ):
        online(connection)
        assert str(connection.health().server).startswith("::1")


def test_stop_is_prompt_while_a_sign_in_hangs_and_leaves_nothing(server: ServerProcess, alice: Credentials) -> None:
    server("fault sign_in hang")
    calls = server.count("calls")
    with nothing_left():
        connection = Connection(ALICE, server.url, credentials=alice)  # the field's own time-outs
        connection.start()
        until(lambda: server.count("calls") > calls)
        assert connection.state is State.SIGNING_IN
        began = time.monotonic()
        assert connection.stop()
        assert time.monotonic() - began < 0.5 + connection.config.sign_out_timeout
