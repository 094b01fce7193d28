"""One agent, one outage: the same story with the same numbers wherever an operator may look."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm import State
from agentcp_fsm.lifecycle.effects import Effect, ReportTransition, SendHeartbeat, SignIn
from agentcp_fsm.lifecycle.events import BeatAnswered
from agentcp_fsm.operations.agent_view import details, view_of
from agentcp_fsm.operations.asking import read_status
from agentcp_fsm.operations.checking import judge
from agentcp_fsm.operations.logs import LogFormat, formatter
from agentcp_fsm.operations.recorder import LossTraces
from agentcp_fsm.operations.status_thread import StatusThread
from agentcp_fsm.traces import Recorder, read_trace, replay, story_lines
from tests.connection.peer import FAST, Peer, connect
from tests.operations.test_metrics import samples, value
from tests.waiting import online, until

pytest.importorskip("prometheus_client", reason="prometheus-client, of the extra 'metrics', is not installed")

from agentcp_fsm.operations.metrics import Metrics

TRANSITIONS = "agentcp_fsm.connection.attachment"


def effects_of(file: Path) -> list[Effect]:
    return [effect for step in read_trace(file).steps for effect in step.effects]


def test_one_outage_has_the_same_story_everywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, TRANSITIONS)
    metrics, traces, recorder = Metrics(), LossTraces(tmp_path), Recorder("alice.agentid.pub", bounded=False)
    with Peer() as peer:
        connection = connect(peer, config=FAST)
        metrics.add(connection)
        traces.watch(connection)
        connection.observe(recorder)
        with connection, StatusThread("127.0.0.1:0", [connection], metrics=metrics.exposition) as place:
            online(connection)
            peer.next_beat = -1  # silence
            until(lambda: connection.health().statistics.losses >= 1)
            peer.next_beat = 50
            online(connection)
            assert connection.stop()
            until(lambda: connection.health().waiting == 0)
            [status] = read_status(place.address)
            measured = samples(metrics)
        health = connection.health()
    counted, loss = health.statistics, health.last_loss
    assert loss is not None
    assert "unanswered, last answer" in loss.detail

    # The status place says what health says.
    said: dict[str, Any] = json.loads(health.to_json())
    assert {name for name in said if status[name] != said[name]} <= {
        "at",
        "since",
        "since_at",
        "last_answer",
        "last_loss",
    } | {
        *("last_failure", "transitions"),
    }, "but for the time that has passed"

    # The trace has the events of which health counted the results, and the machine would do the same again.
    trace = recorder.trace()
    assert replay(trace) is None
    effects = [effect for step in trace.steps for effect in step.effects]
    transitions = [effect for effect in effects if isinstance(effect, ReportTransition)]
    assert transitions[-len(health.transitions) :] == list(health.transitions)
    assert sum(each.lost for each in transitions) == counted.losses
    assert sum(isinstance(effect, SignIn) for effect in effects) == counted.attempts
    assert sum(isinstance(effect, SendHeartbeat) for effect in effects) == counted.heartbeats + counted.send_failures
    answers = sum(isinstance(step.event, BeatAnswered) for step in trace.steps)
    assert counted.answers <= answers <= counted.answers + counted.stale
    assert any(loss.text in line for line in story_lines(trace))

    # So does a file that was left of the outage.
    until(lambda: any(loss in effects_of(file) for file in tmp_path.glob("*-outage.trace")))

    # The metrics.
    assert value(measured, "agentcp_losses_total") == counted.losses
    assert value(measured, "agentcp_heartbeats_sent_total") == counted.heartbeats
    assert value(measured, "agentcp_heartbeats_answered_total") == counted.answers
    assert value(measured, "agentcp_heartbeats_missed_total") == counted.missed
    labels = {"source": loss.source, "dest": loss.dest, "trigger": loss.trigger}
    same = sum((each.source, each.dest, each.trigger) == (loss.source, loss.dest, loss.trigger) for each in transitions)
    assert value(measured, "agentcp_transitions_total", **labels) == same

    # The log, one line for each transition.
    lines = [record for record in caplog.records if record.name == TRANSITIONS]
    logged = [json.loads(formatter(LogFormat.JSON).format(line)) for line in lines]
    assert [(each["source"], each["dest"], each["trigger"]) for each in logged if "trigger" in each] == [
        (each.source, each.dest, each.trigger) for each in transitions
    ]
    warnings = [each["message"] for each in logged if each["level"] == "WARNING"]
    assert len(warnings) == counted.losses
    assert warnings[-1].startswith(f"alice.agentid.pub {loss.source} -> {loss.dest}: ")
    assert loss.detail in warnings[-1]

    # The live view and the verdict.
    view = view_of("here", status)
    assert (view.state, view.losses, view.last_loss) == (State.OFFLINE, counted.losses, loss.text)
    assert any(loss.text in line for line in details(view))
    assert "OFFLINE" in judge([status], []).says
