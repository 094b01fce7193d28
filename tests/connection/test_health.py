"""What `health()` says: JSON through and through, every field explained, and numbers that agree with each other."""

import ast
import inspect
import json
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from agentcp_fsm import Config, Health, State
from agentcp_fsm.connection import health as module
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online, until

STATES = [str(state) for state in State]


def docstrings(owner: type) -> dict[str, str]:
    """The text below each field."""
    tree = ast.parse(inspect.getsource(module))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__]
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(ast.Constant(str(said))):
                    found[field.target.id] = said
    return found


def test_every_field_is_explained() -> None:
    named = {field.name for field in fields(Health)}
    assert named - set(docstrings(Health)) == {"agent_id", "state"}, "what their names say"
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    with Peer() as peer:
        shown = connect(peer).health().to_dict()
    assert [name for name in shown if f"`{name}`" not in page] == []


def test_it_is_json_in_every_state() -> None:
    seen: dict[str, Health] = {}
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        seen["never started"] = connection.health()
        with connection:
            online(connection)
            seen["online"] = connection.health()
            peer.refuse = True
            peer.next_beat = 401
            assert connection.wait_for(State.BACKOFF, timeout=10)
            seen["waiting"] = connection.health()
            peer.next_beat, peer.refuse = 50, False
            online(connection)
        seen["stopped"] = connection.health()
    for health in seen.values():
        assert json.loads(health.to_json()) == health.to_dict()
        assert health.to_dict()["state"] in STATES
    assert seen["online"].reachable
    assert not seen["waiting"].reachable
    assert seen["stopped"].next_action is None


def test_it_is_frozen() -> None:
    with Peer() as peer:
        health = connect(peer).health()
        with pytest.raises(FrozenInstanceError):
            health.failures = 3  # type: ignore[misc]


def test_before_the_first_start_nothing_is_known() -> None:
    with Peer() as peer:
        health = connect(peer).health()
    shown = health.to_dict()
    unknown = {name for name, value in shown.items() if value is None}
    assert unknown == {
        *("since", "since_at", "last_answer", "round_trip", "round_trip_smoothed", "round_trip_deviation"),
        *("interval", "interval_asked", "answer_sequence", "server", "session_age", "next_action"),
        *("next_retry", "next_retry_at", "last_error", "last_loss", "last_failure"),
    }
    assert (health.loss_rate, health.reconnects, health.transitions) == (0.0, 0, ())


def test_an_outage_is_in_its_numbers() -> None:
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        until(lambda: connection.health().round_trip_smoothed is not None)
        before = connection.health()
        assert before.round_trip is not None
        assert before.round_trip_deviation is not None
        assert before.session_age is not None
        assert before.reconnects == 0
        peer.next_beat = 401
        until(lambda: connection.health().last_loss is not None)
        peer.next_beat = 50
        until(lambda: connection.health().reconnects >= 1)
        after = connection.health()
    assert after.last_loss == [each for each in after.transitions if each.lost][-1]
    assert after.last_failure is not None
    assert after.statistics.losses == after.reconnects
    shown = after.to_dict()
    transitions = shown["transitions"]
    assert isinstance(transitions, list)
    assert [each for each in transitions if each["lost"]][-1] == shown["last_loss"]
    for each in transitions:
        at = datetime.fromisoformat(each["at"])
        assert abs((after.at - at).total_seconds() - each["age"]) < 0.002
    assert abs((datetime.now(UTC) - after.at).total_seconds()) < 60


def test_a_wait_says_when_it_ends() -> None:
    config = replace(PATIENT, backoff_initial=60.0, backoff_max=60.0)
    with Peer() as peer, connect(peer, config=config) as connection:
        peer.refuse = True
        assert connection.wait_for(State.BACKOFF, timeout=10)
        health = connection.health()
    assert health.next_retry is not None
    assert health.next_retry_at is not None
    assert 0 <= health.next_retry <= 60
    assert health.next_retry_at >= health.at
    assert health.failures == 1


@pytest.mark.parametrize(("asked", "refused"), [(50, False), (1, True), (999_000, True)])
def test_1_an_interval_beyond_the_bounds_shows(asked: int, refused: bool) -> None:
    with Peer(next_beat=asked) as peer, connect(peer) as connection:
        online(connection)
        health = connection.health()
        assert health.interval_asked == asked / 1000
        assert health.interval_refused is refused


def test_it_remembers_the_last_32_transitions() -> None:
    config = Config(sign_in_interval_min=0.0, backoff_initial=0.001, backoff_max=0.001)
    with Peer() as peer, connect(peer, config=config) as connection:
        peer.refuse = True
        until(lambda: connection.health().statistics.attempts > 40, 30)
        transitions = connection.health().transitions
    assert len(transitions) == 32
    assert all(one.dest == other.source for one, other in pairwise(transitions))
