"""The console: what each command does, and that the answer to a mistake lists the choices."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.server import ConfigShape, Direction, Faults, ServerThread, SignInFault, Stranger, Unauthorized
from agentcp_fsm.server.console import COMMANDS, SETTINGS
from agentcp_fsm.wire import UNAUTHORIZED, NextBeatEncoding
from tests.server.client import ALICE, BOB, Client
from tests.waiting import until


def test_help_lists_every_command(server: ServerThread) -> None:
    listed = server.command("help")
    assert len(listed.splitlines()) == len(COMMANDS)
    assert server.command("") == listed


def test_every_fault_can_be_set() -> None:
    assert list(SETTINGS) == [field.name for field in fields(Faults)]


@pytest.mark.parametrize(
    ("command", "faults"),
    [
        ("fault drop 0.5", Faults(drop=0.5)),
        ("fault drop 1 direction answers", Faults(drop=1.0, direction=Direction.ANSWERS)),
        ("fault silent on", Faults(silent=True)),
        ("fault silent off", Faults()),
        ("fault delay 0.25 copies 2", Faults(delay=0.25, copies=2)),
        ("fault unauthorized once", Faults(unauthorized=Unauthorized.ONCE)),
        ("fault stranger on", Faults(stranger=Stranger.ON)),
        ("fault stranger address", Faults(stranger=Stranger.ADDRESS)),
        ("fault next_beat 18446744073709551615", Faults(next_beat=2**64 - 1)),
        ("fault next_beat none", Faults()),
        ("fault encoding varint", Faults(encoding=NextBeatEncoding.VARINT)),
        ("fault encoding none", Faults()),
        ("fault sign_in status status 429", Faults(sign_in=SignInFault.STATUS, status=429)),
        ('fault retry_after "Wed, 02 Jan 2030 03:04:05 GMT"', Faults(retry_after="Wed, 02 Jan 2030 03:04:05 GMT")),
        ('fault retry_after ""', Faults()),
        ("fault sign_in slow slow_seconds 2", Faults(sign_in=SignInFault.SLOW, slow_seconds=2.0)),
        ("fault sign_in missing-field field port", Faults(sign_in=SignInFault.MISSING_FIELD, field="port")),
        ("fault sign_in port-out-of-range port -5", Faults(sign_in=SignInFault.PORT_OUT_OF_RANGE, port=-5)),
        ("fault sign_out hang", Faults(sign_out=SignInFault.HANG)),
        ("fault access_point missing-field field nonce", Faults(access_point=SignInFault.MISSING_FIELD, field="nonce")),
        ("fault config_call slow", Faults(config_call=SignInFault.SLOW)),
        ("fault config text", Faults(config=ConfigShape.TEXT)),
        ("fault heartbeat_server https://elsewhere.example", Faults(heartbeat_server="https://elsewhere.example")),
        ("fault message_server https://elsewhere.example", Faults(message_server="https://elsewhere.example")),
    ],
)
def test_faults_are_set(server: ServerThread, command: str, faults: Faults) -> None:
    answer = server.command(command)
    assert server.faults == faults
    changed = [field.name for field in fields(Faults) if getattr(faults, field.name) != field.default]
    assert answer.startswith("faults: ")
    assert all(f"{name}=" in answer for name in changed)
    assert ("none" in answer) == (faults == Faults())
    assert server.command("ok") == "no faults"
    assert server.faults == Faults()


@pytest.mark.parametrize("fault", [*SignInFault])
def test_every_sign_in_fault_has_its_name(server: ServerThread, fault: SignInFault) -> None:
    if fault is SignInFault.BAD_PROOF:
        with pytest.raises(ConfigError, match="credentials"):
            server.command(f"fault sign_in {fault.value}")
        return
    server.command(f"fault sign_in {fault.value}")
    assert server.faults == Faults(sign_in=fault)


def test_the_faults_are_listed_with_what_they_are(server: ServerThread) -> None:
    server.command("fault drop 0.25 silent on sign_in hang")
    listed = {line.split()[0]: line.split()[1] for line in server.command("faults").splitlines()}
    assert list(listed) == list(SETTINGS)
    assert (listed["drop"], listed["silent"], listed["sign_in"], listed["next_beat"]) == ("0.25", "on", "hang", "none")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("explode", ["'explode'", "help", "restart", "fault"]),
        ("restart now", ["'restart now'", "restart"]),
        ("fault", ["'fault'", "drop", "sign_in"]),
        ("fault drop", ["'fault drop'", "drop", "sign_in"]),
        ("fault dorp 1", ["'dorp'", "drop", "sign_in"]),
        ("fault drop much", ["drop", "'much'", "0 to 1"]),
        ("fault drop 2", ["drop", "2", "0 to 1"]),
        ("fault copies 1.5", ["copies", "'1.5'", "number"]),
        ("fault silent 1", ["silent", "'1'", "on, off"]),
        ("fault encoding utf8", ["encoding", "'utf8'", "u64", "varint"]),
        ("fault sign_in lazy", ["sign_in", "'lazy'", "hang", "slow", "down"]),
        ("fault sign_out refused", ["sign_out", "'refused'", "hang"]),
        ("fault access_point refused", ["access_point", "'refused'", "bad-proof"]),
        ("fault access_point bad-proof", ["'bad-proof'", "credentials"]),
        ("fault config_call missing-field", ["config_call", "'missing-field'", "hang"]),
        ("fault config list", ["config", "'list'", "object", "text", "broken"]),
        ("fault next_beat soon", ["next_beat", "'soon'", "milliseconds"]),
        ("fault field cert", ["field", "'cert'", "nonce", "server_ip"]),
        ("move nowhere", ["'nowhere'", "dead", "401"]),
        ("move 70000", ["udp_port", "70000", "65535"]),
        ("agent x", ["'x'", "none"]),
        ("invite x", ["'x'"]),
        ("invite", ["'invite'", "invite AGENT_ID"]),
        ("say 'hello", ["hello", "quotation"]),
    ],
)
def test_a_mistake_is_told_with_what_there_is(server: ServerThread, line: str, names: list[str]) -> None:
    with pytest.raises(AgentCPError) as error:
        server.command(line)
    assert [name for name in names if name not in str(error.value)] == []
    assert server.faults == Faults()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.text() | st.lists(st.sampled_from(["fault", *SETTINGS, *COMMANDS, "1", "x"])).map(" ".join))
def test_any_line_is_answered_or_refused(shared: ServerThread, line: str) -> None:
    with suppress(AgentCPError):
        assert isinstance(shared.command(line), str)
    shared.clear_faults()
    assert shared.command("ok") == "no faults"


def test_status(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    server.command("fault delay 0.5")
    faults, counted, agents, alice = server.command("status").splitlines()
    assert faults == "faults: delay=0.5"
    assert {"sign_ins 1", "heartbeats 1"} <= set(counted.removeprefix("counted: ").split(", "))
    assert agents == "agents: 1"
    assert alice.split() == [ALICE, "online,", "heartbeats", "1"]


def test_statistics_and_an_agent_as_json(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    counted = json.loads(server.command("statistics"))
    assert (counted["sign_ins"], counted["heartbeats"], counted["sessions"]) == (1, 1, 1)
    alice = json.loads(server.command(f"agent {ALICE.upper()}"))
    assert (alice["agent_id"], alice["heartbeats"], alice["online"]) == (ALICE, 1, True)
    with pytest.raises(ConfigError, match=ALICE):
        server.command("agent nobody")


def test_no_secret_is_shown(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    shown = "".join(server.command(line) for line in ("status", "statistics", f"agent {ALICE}"))
    assert agent.token not in shown
    assert str(agent.cookie) not in shown


def test_restart_and_move(server: ServerThread, agent: Client) -> None:
    left = agent.server_address
    server.command("restart")
    assert agent.next_beat() == UNAUTHORIZED
    assert server.command("move 401") == f"heartbeats go to port {server.udp_address[1]}"
    assert agent.next_beat() == UNAUTHORIZED
    _, port = server.udp_address
    assert port != left[1]
    server.command("move")
    assert server.command(f"move {port} dead") == f"heartbeats go to port {port}"
    agent.sign_in()
    assert agent.server_address == ("127.0.0.1", port)
    assert agent.next_beat() == 7000


def test_invite(server: ServerThread, agent: Client) -> None:
    agent.next_beat()
    with ThreadPoolExecutor() as pool:
        told = pool.submit(server.command, f"invite {ALICE} {BOB}")
        agent.answer_invitation()
        assert told.result() == f"{ALICE} answered"
    until(lambda: server.statistics().invitations_answered == 1)
