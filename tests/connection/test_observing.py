"""An observer sees every step of a connection's machine, from any moment on; one that raises harms nothing."""

from collections.abc import Sequence

import pytest

from agentcp_fsm import Lifecycle, State
from agentcp_fsm.lifecycle.effects import Effect, SendHeartbeat
from agentcp_fsm.lifecycle.events import Event
from agentcp_fsm.traces import Recorder, replay
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online, until


class Raising:
    def __init__(self, when: str) -> None:
        self.when = when
        self.calls = 0

    def adopted(self, machine: Lifecycle) -> None:
        if self.when == "adopted":
            raise LookupError("of an application")

    def stepped(self, event: Event, effects: Sequence[Effect]) -> None:
        self.calls += 1
        if self.when == "stepped":
            raise LookupError("of an application")


def test_a_recorder_sees_every_step_of_a_connection() -> None:
    early, late = Recorder("alice", bounded=False), Recorder("alice", bounded=False)
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        connection.observe(early)
        with connection:
            online(connection)
            connection.observe(late)
            until(lambda: len(late.trace().steps) > 10 if late.has_machine else False)
            peer.next_beat = 401
            until(lambda: connection.health().statistics.losses >= 1)
            peer.next_beat = 50
            online(connection)
    for recorder in (early, late):
        trace = recorder.trace()
        assert replay(trace) is None
        assert trace.steps[-1].state == State.OFFLINE
    beats = [effect for step in early.trace().steps for effect in step.effects if isinstance(effect, SendHeartbeat)]
    assert [beat.sequence for beat in beats] == list(range(1, len(beats) + 1))
    assert early.trace().steps[-len(late.trace().steps) :] == late.trace().steps


@pytest.mark.parametrize("when", ["adopted", "stepped"])
def test_an_observer_that_raises_observes_no_more(when: str, caplog: pytest.LogCaptureFixture) -> None:
    observer, recorder = Raising(when), Recorder()
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        connection.observe(observer)
        connection.observe(recorder)
        online(connection)
        peer.wait(lambda: peer.heartbeats >= 3)
    assert observer.calls <= 1
    assert caplog.text.count("the observer Raising raised, and observes no more") == 1
    assert replay(recorder.trace()) is None
