"""Any life of a machine is recorded, written, read and replayed; secrets are replaced; a torn file loses its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcp_fsm import Config, Invitation, Lifecycle, Session
from agentcp_fsm.cli.app import run
from agentcp_fsm.errors import TraceError
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.effects import ReportTransition, SendHeartbeat
from agentcp_fsm.lifecycle.events import (
    BeatAnswered,
    DeadlinePassed,
    Event,
    Invited,
    SignedIn,
    SocketOpened,
    Start,
    Stop,
)
from agentcp_fsm.testing import strategies
from agentcp_fsm.testing.machine import next_event
from agentcp_fsm.traces import Trace, difference_lines, played, read_trace, record, replay, story_lines, write_trace
from agentcp_fsm.traces.recorder import BUSY, QUIET, Recorder
from agentcp_fsm.traces.replaying import rows_of
from agentcp_fsm.traces.story import effect_text

SECRETS = (b"the-token", b"the-code", (0x1122334455667788).to_bytes(8, "little"))
SESSION = Session("192.0.2.1", 5000, 0x1122334455667788, "the-token")
INVITATION = Invitation("bob.agentid.pub", "the-code", 7, "session-1", "wss://msg.agentid.pub")


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Of any life, recorded from any moment of it on."""
    config, seed = draw(strategies.configs()), draw(st.integers(0, 2**16))
    machine = Lifecycle(config, Random(seed))
    now = draw(st.sampled_from([0.0, 1e6, -5.0]))
    recorder: Recorder | None = None
    for number in range(draw(st.integers(1, 40))):
        if recorder is None and (number == 0 or draw(st.booleans())):
            recorder = record(machine, "alice.agentid.pub", bounded=draw(st.booleans()), seed=seed)
        event: Event = next_event(machine) if draw(st.booleans()) else draw(strategies.events(machine.attempt))
        if isinstance(event, DeadlinePassed):
            now = max(now, min(machine.deadline, now + 1e6))
        assert recorder is not None
        recorder.handle(event, now)
        now += draw(strategies.DELAYS)
    assert recorder is not None
    return recorder.trace(wall=1e9)


def online(recorder: Recorder, now: float = 0.0) -> float:
    """Lead a new machine to ONLINE; its last time."""
    for event in (Start(), SignedIn(1, SESSION), SocketOpened(1), BeatAnswered(1, 5000), Invited(1, INVITATION)):
        recorder.handle(event, now)
    return now


def lost(recorder: Recorder, machine: Lifecycle) -> None:
    online(recorder)
    while machine.state != "RECONNECTING":
        recorder.handle(DeadlinePassed(), machine.deadline)
    recorder.handle(Stop(), machine.now)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trace=traces())
def test_any_life_is_replayed(tmp_path: Path, trace: Trace) -> None:
    assert replay(trace) is None
    write_trace(tmp_path / "one.trace", trace)
    read = read_trace(tmp_path / "one.trace")
    assert replay(read) is None
    assert (read.config, read.agent_id, read.wall, read.seed) == (trace.config, trace.agent_id, 1e9, trace.seed)
    assert [(type(step.event), step.at, step.draws, step.state) for step in read.steps] == [
        (type(step.event), step.at, step.draws, step.state) for step in trace.steps
    ]
    write_trace(tmp_path / "two.trace", read)
    again = read_trace(tmp_path / "two.trace")
    assert repr(again) == repr(read)  # not a number equals itself there
    assert difference_lines(again, read) == []
    assert all(line.isprintable() for line in story_lines(read))


def test_secrets_are_replaced_by_equal_names(tmp_path: Path) -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine)
    lost(recorder, machine)
    file = tmp_path / "life.trace"
    write_trace(file, recorder.trace())
    content = file.read_bytes()
    assert [secret for secret in SECRETS if secret in content] == []
    assert file.stat().st_mode & 0o077 == 0
    sessions = {
        effect.session
        for step in read_trace(file).steps
        for effect in step.effects
        if isinstance(effect, SendHeartbeat)
    }
    assert sessions == {Session("192.0.2.1", 5000, 1, "token-1")}


def test_a_torn_end_loses_the_last_step(tmp_path: Path) -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine)
    lost(recorder, machine)
    file = tmp_path / "life.trace"
    write_trace(file, recorder.trace())
    whole, content = read_trace(file), file.read_bytes()
    assert not whole.torn
    lengths = set()
    for end in range(len(content) - 1, len(content) // 2, -1):
        file.write_bytes(content[:end])
        read = read_trace(file)
        assert read.steps == whole.steps[: len(read.steps)]
        assert replay(read) is None
        lengths.add(len(read.steps))
    assert len(lengths) > 3
    file.write_bytes(content[:-1])
    assert read_trace(file).torn
    assert "the file ends within a step" in story_lines(read_trace(file))


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 20, b"not a trace\n", b"\x05hello", bytes(1000)])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(TraceError, match=r"other is no trace of a connection"):
        read_trace(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_trace_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine)
    lost(recorder, machine)
    file = tmp_path / "life.trace"
    write_trace(file, recorder.trace())
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        read = read_trace(file)
    except TraceError:
        return
    assert all(line.isprintable() for line in story_lines(read))
    replay(read)


def test_a_step_that_the_machine_takes_otherwise_is_found() -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine)
    lost(recorder, machine)
    trace = recorder.trace()
    altered = trace.steps[3]._replace(effects=())
    found = replay(Trace(config=trace.config, start=trace.start, steps=(*trace.steps[:3], altered, *trace.steps[4:])))
    assert found is not None
    assert (found.number, found.step, found.effects) == (4, altered, trace.steps[3].effects)
    patient = Trace(config=Config(silence_timeout=100.0, silence_limit=50), start=trace.start, steps=trace.steps)
    assert replay(patient) is not None


def test_it_remembers_a_bounded_number_of_steps_and_replays_them() -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine, bounded=True)
    online(recorder)
    for number in range(200):
        recorder.handle(DeadlinePassed(), machine.deadline)
        recorder.handle(BeatAnswered(1, 5000), machine.now)
        trace = recorder.trace()
        assert replay(trace) is None
        assert number < QUIET or QUIET <= len(trace.steps) <= 2 * QUIET
    for _ in range(500):
        recorder.handle(DeadlinePassed(), machine.deadline)
        assert len(recorder.trace().steps) <= 2 * BUSY
    assert replay(recorder.trace()) is None


def test_a_story_reads_well() -> None:
    machine = Lifecycle(Config(retransmission_spread=0.0), Random(1))
    recorder = record(machine, "alice.agentid.pub")
    lost(recorder, machine)
    story = story_lines(recorder.trace(wall=0.0))
    assert story[0].startswith("alice.agentid.pub: ")
    assert story[0].endswith(" s from 1970-01-01T00:00:00.000+00:00")
    assert story[1:4] == ["settings: retransmission_spread=0", "it begins in OFFLINE, attempt 0", "    +0.000  start"]
    loss = next(line for line in story if "-> RECONNECTING" in line)
    assert "heartbeats unanswered, last answer 16.0 s ago" in loss
    assert (
        story[-1].strip()
        == "RECONNECTING -> STOPPING: The application wants out: the socket is closed, a sign-in in flight abandoned."
    )


def test_two_lives_are_compared() -> None:
    machine, other = Lifecycle(Config(), Random(1)), Lifecycle(Config(), Random(1))
    one, two = record(machine), record(other)
    lost(one, machine)
    online(two)
    two.handle(Stop(), other.now)
    lines = difference_lines(one.trace(), two.trace(), ("one", "two"))
    assert lines[:2] == ["--- one", "+++ two"]
    assert any(line.startswith("-") and "RECONNECTING" in line for line in lines)


@given(trace=traces())
def test_any_life_is_played_with_the_rows_that_it_took(trace: Trace) -> None:
    walk = played(trace).document(CHART)
    assert [step["dest"] for step in walk["steps"]] == [step.state for step in trace.steps]
    for step, shown in zip(trace.steps, walk["steps"], strict=True):
        row = CHART.all_rows[shown["row"]]
        assert row.trigger == step.event.trigger
        for effect in step.effects:
            assert printable(effect_text(effect)) in shown["lines"]
            if isinstance(effect, ReportTransition):
                assert row.reason == effect.reason


def test_the_rows_of_another_life_are_not_made_up() -> None:
    """As of a trace of another version: from the first step on that goes elsewhere now, no row is known."""
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine)
    lost(recorder, machine)
    trace = recorder.trace()
    number = next(number for number, step in enumerate(trace.steps) if step.state == "ONLINE")
    altered = trace.steps[number]._replace(state="BACKOFF")
    rows = rows_of(replace(trace, steps=(*trace.steps[:number], altered, *trace.steps[number + 1 :])))
    assert rows[:number] == rows_of(trace)[:number]
    assert None not in rows[:number]
    assert rows[number:] == [None] * (len(trace.steps) - number)


def test_the_command_shows_replays_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = Lifecycle(Config(), Random(1))
    recorder = record(machine, "alice.agentid.pub")
    lost(recorder, machine)
    trace = recorder.trace()
    one, other = str(tmp_path / "one.trace"), str(tmp_path / "other.trace")
    write_trace(one, trace)
    altered = trace.steps[3]._replace(effects=())
    write_trace(other, replace(trace, steps=(*trace.steps[:3], altered, *trace.steps[4:])))
    assert run(["trace", "show", one]) == 0
    assert capsys.readouterr().out.splitlines() == story_lines(read_trace(one))
    assert run(["trace", "replay", one]) == 0
    assert capsys.readouterr().out == f"{len(trace.steps)} steps, all the same\n"
    assert run(["trace", "replay", other]) == 1
    assert "step 4 differs: beat_answered" in capsys.readouterr().out
    assert run(["trace", "diff", one, one]) == 0
    assert run(["trace", "diff", one, other]) == 1
    assert "-  SIGNING_IN -> ONLINE" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert run(["trace", "page", one, "--output", str(page)]) == 0
    assert run(["trace", "page", one]) == 0
    assert capsys.readouterr().out == page.read_text(encoding="utf-8")
    assert f'"title":"alice.agentid.pub: {len(trace.steps)} steps' in page.read_text(encoding="utf-8")
    write_trace(other, replace(trace, steps=()))
    assert run(["trace", "page", other]) == 2
    assert f"{other} has no steps" in capsys.readouterr().err
    assert run(["trace", "show", __file__]) == 2
    assert "is no trace of a connection" in capsys.readouterr().err
