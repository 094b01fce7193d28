"""The traces around losses, as files."""

import os
import time
from pathlib import Path

from agentcp_fsm import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.operations.recorder import LossTraces
from agentcp_fsm.traces import Recorder, read_trace, replay
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online, until


def test_a_trace_of_each_outage_is_left(tmp_path: Path) -> None:
    traces = LossTraces(tmp_path / "traces")
    with Peer() as peer:
        connection = connect(peer, "../alice", config=PATIENT)
        traces.watch(connection)
        with connection:
            for number in (1, 2):
                online(connection)
                peer.next_beat = 401
                until(lambda: connection.health().statistics.losses >= number)  # noqa: B023
                peer.next_beat = 50
                online(connection)
        until(lambda: len(list(traces.folder.glob("*-outage.trace"))) >= 2)
        until(lambda: connection.health().waiting == 0)
        losses = [each for each in connection.health().transitions if each.lost]
    files = sorted(traces.folder.glob("*-outage.trace"))
    assert all(file.name.startswith(".._alice-2") for file in files)
    recorded = []
    for file in files:
        trace = read_trace(file)
        assert replay(trace) is None
        assert trace.steps[-1].state in (State.ONLINE, State.DEGRADED, State.STOPPING, State.OFFLINE)
        recorded += [each for step in trace.steps for each in step.effects if isinstance(each, ReportTransition)]
    assert set(losses) <= {each for each in recorded if each.lost}
    assert (traces.folder.stat().st_mode & 0o077) == 0


def test_what_is_remembered_is_written_when_asked(tmp_path: Path) -> None:
    traces = LossTraces(tmp_path)
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        traces.watch(connection)
        with connection:
            online(connection)
            [file] = traces.dump()
    assert read_trace(file).agent_id == connection.agent_id
    assert file.name.endswith("-asked.trace")


def test_the_folder_is_bounded_in_size_and_age(tmp_path: Path) -> None:
    with Peer() as peer:
        recorder = Recorder("alice")
        connect(peer).observe(recorder)
    first = LossTraces(tmp_path).write(recorder, "lost")
    size = first.stat().st_size
    os.utime(first, (time.time() - 100, time.time() - 100))
    second = LossTraces(tmp_path).write(recorder, "lost")
    assert first.exists()
    third = LossTraces(tmp_path, size_max=2 * size).write(recorder, "lost")
    assert [first.exists(), second.exists(), third.exists()] == [False, True, True]
    os.utime(second, (time.time() - 100, time.time() - 100))
    fourth = LossTraces(tmp_path, age_max=50).write(recorder, "lost")
    assert [second.exists(), third.exists(), fourth.exists()] == [False, True, True]
    fifth = LossTraces(tmp_path, size_max=1).write(recorder, "lost")
    assert list(tmp_path.iterdir()) == [fifth], "never the newest"
