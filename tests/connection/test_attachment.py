"""How a connection is attached to a loop: any order of starts, stops, signals, forks and ends of loops is borne.

The hub is scripted: what is posted to its loop, given to its pool or due by its timers runs when the test says so.
Driver, machine and socket are the real ones.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentcp_fsm import Config, Session, State
from agentcp_fsm.connection.attachment import CHART, Attachment, AttachmentState
from agentcp_fsm.connection.driver import Driver
from agentcp_fsm.connection.handlers import Handlers
from agentcp_fsm.connection.hub import Hub
from agentcp_fsm.connection.timers import Timed
from agentcp_fsm.fsm.diagram.files import DiagramFile, format_of
from agentcp_fsm.wire import codec_named
from tests.connection.peer import RefusedError

PICTURE = Path(__file__).parents[2] / "docs/diagram/attachment.svg"
DETACHED, ATTACHING, STARTING, ATTACHED, LEAVING = AttachmentState


class ScriptedLoop:
    """A loop that only says whether it is closed."""

    closed = False

    def is_closed(self) -> bool:
        return self.closed

    def add_reader(self, descriptor: int, call: Callable[[], None]) -> None:
        assert not self.closed

    def remove_reader(self, descriptor: int) -> None:
        assert not self.closed

    def call_later(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        assert not self.closed  # its time never comes


class ScriptedPool:
    def __init__(self) -> None:
        self.jobs: deque[Callable[[], None]] = deque()

    def widen(self, limit: int) -> None:
        """There is room for all."""

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def give_up(self, job: Callable[[], None]) -> bool:
        if job in self.jobs:
            self.jobs.remove(job)
            return True
        return False

    def close(self) -> None:
        self.jobs.clear()


class ScriptedTimers:
    def __init__(self) -> None:
        self.armed: list[Timed] = []

    def arm(self, timed: Timed, deadline: float) -> None:
        timed.armed_at = deadline
        self.armed.append(timed)

    def wake(self) -> bool:
        """Wake the first that is due; False if none is."""
        due = [timed for timed in self.armed if timed.armed_at <= monotonic()]
        if due:
            self.armed.remove(due[0])
            due[0].armed_at = due[0].wake()
            if due[0].armed_at < float("inf"):
                self.armed.append(due[0])
        return bool(due)


class ScriptedHub(Hub):
    def __init__(self) -> None:
        loop: Any = ScriptedLoop()
        super().__init__(loop)
        self.pool: Any = ScriptedPool()
        self.timers: Any = ScriptedTimers()
        self.posted: deque[Callable[[], None]] = deque()
        self.holders = 0

    def post(self, call: Callable[[], None]) -> bool:
        if self.loop.is_closed():
            return False
        self.posted.append(call)
        return True

    def hold(self) -> bool:
        self.holders += 1 if (held := super().hold()) else 0
        return held

    def release(self) -> None:
        self.holders -= 1
        super().release()

    def turn(self) -> bool:
        """Run one of what waits; False if nothing does."""
        if self.posted:
            self.posted.popleft()()
        elif self.pool.jobs:
            self.pool.jobs.popleft()()
        else:
            return bool(self.timers.wake())
        return True


class ScriptedSignIn:
    """Signs in with a session, or fails."""

    fails = False

    def sign_in(self, abandonment: object) -> Session:
        if self.fails:
            raise RefusedError("not today")
        return Session("127.0.0.1", 9, 7, "token")

    def sign_out(self, session: Session) -> None:
        if self.fails:
            raise RefusedError("not today either")


def attachment_of(hold_hub: Callable[[], Hub], authenticator: ScriptedSignIn) -> Attachment:
    return Attachment(
        lambda listener: Driver(
            "alice.agentid.pub", Config(), Random(5), codec_named("agentcp"), lambda hub: authenticator, listener
        ),
        hold_hub,
        Handlers("alice", lambda handler, argument, loop: lambda: None),
    )


class Lives(RuleBasedStateMachine):
    """What `start` and `stop` of the faces come to, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.authenticator = ScriptedSignIn()
        self.hubs: list[ScriptedHub] = []
        """All of this process, the present one last; what is posted to one that has ended may still run."""
        self.inherited: list[ScriptedHub] = []
        """Those of the process that this one was forked from."""
        self.another = False
        """Whether another connection holds each hub, too."""
        self.interruption: Callable[[], None] = lambda: None
        self.attachment = attachment_of(self.hold_hub, self.authenticator)
        self.wanted = False
        """Whether the last of the calls that count was a start."""
        self.awaited: list[list[None]] = []
        """Of each stop: filled once it is over."""

    @initialize(another=st.booleans())
    def share(self, another: bool) -> None:
        self.another = another

    def hold_hub(self) -> Hub:
        self.interruption()
        if not self.hubs or self.hubs[-1].loop.is_closed() or not self.hubs[-1].hold():
            hub = ScriptedHub()
            hub.hold()
            if self.another:
                hub.hold()
            self.hubs.append(hub)
        return self.hubs[-1]

    def turn(self) -> bool:
        return any(hub.turn() for hub in self.hubs if not hub.loop.is_closed())

    @rule()
    def start(self) -> None:
        self.attachment.start()
        self.wanted = True

    @precondition(lambda self: self.attachment.state is DETACHED)
    @rule(error=st.sampled_from([RuntimeError, OSError, KeyboardInterrupt]))
    def start_without_a_thread_for_the_loop(self, error: type[BaseException]) -> None:
        def fail() -> None:
            raise error("no thread")

        self.interruption = fail
        with pytest.raises(error):
            self.attachment.start()
        self.interruption = lambda: None
        assert self.attachment.state is DETACHED

    @precondition(lambda self: self.attachment.state is DETACHED)
    @rule(deed=st.sampled_from(["start", "stop", "fork"]))
    def start_interrupted_by_a_signal_s_handler(self, deed: str) -> None:
        self.interruption = {"start": self.attachment.start, "stop": self.stop, "fork": self.fork}[deed]
        self.attachment.start()
        self.interruption = lambda: None
        self.wanted = deed != "fork"
        if deed == "fork":
            self.hubs.clear()  # what the interrupted call took is the parent's

    @rule()
    def stop(self) -> None:
        if (lease := self.attachment.lease) is not None:
            self.wanted = False
            over: list[None] = []
            self.awaited.append(over)
            assert self.attachment.post_stop(lease, lambda: over.append(None))

    @rule(fails=st.booleans())
    def the_server_changes(self, fails: bool) -> None:
        self.authenticator.fails = fails

    @rule(times=st.integers(1, 5))
    def something_runs(self, times: int) -> None:
        for _ in range(times):
            self.turn()

    @rule()
    def everything_runs(self) -> None:
        while self.turn():
            pass
        assert all(self.awaited), "each stop comes to its end"
        assert (self.attachment.state is not DETACHED) == self.wanted, "the last call counts"

    @precondition(lambda self: self.attachment.lease is not None)
    @rule()
    def the_loop_is_closed(self) -> None:
        loop: Any = self.hubs[-1].loop
        loop.closed = True
        self.attachment.loop_closed()
        self.wanted = False
        self.awaited.clear()

    @rule()
    def fork(self) -> None:
        """As in the child."""
        self.attachment.forked()
        self.inherited += self.hubs
        self.hubs.clear()
        self.wanted = False
        self.awaited.clear()
        assert self.attachment.state is DETACHED
        assert self.attachment.transitions == []

    @precondition(lambda self: self.inherited)
    @rule()
    def the_parent_s_loop_runs_on_in_the_child(self) -> None:
        hub = self.inherited.pop()
        while hub.posted:
            hub.posted.popleft()()

    @invariant()
    def a_hub_is_held_exactly_while_attached(self) -> None:
        attached = self.attachment.state is not DETACHED
        assert self.attachment.state is not ATTACHING, "that ends with the call"
        assert (self.attachment.lease is not None) == attached
        if self.hubs:
            assert self.hubs[-1].holders == attached + self.another
            assert all(hub.holders == self.another for hub in self.hubs[:-1])

    @invariant()
    def a_start_that_was_posted_is_on_its_way(self) -> None:
        posted = [call for hub in self.hubs if not hub.loop.is_closed() for call in hub.posted]
        begins = [call for call in posted if isinstance(call, partial) and call.func == self.attachment._begin]
        assert (self.attachment.state is STARTING) == bool(begins)

    @invariant()
    def the_state_says_how_the_life_is(self) -> None:
        state, life = self.attachment.state, self.attachment.driver.lifecycle
        if state is DETACHED:
            assert life.state is State.OFFLINE
            assert self.attachment.driver.fileno() is None
        if state is ATTACHED:
            assert life.state is not State.OFFLINE
            assert life.state is not State.STOPPING or life.restart_wanted
        if state is LEAVING:
            assert life.state is State.STOPPING

    @invariant()
    def a_start_on_its_way_counts(self) -> None:
        offline = self.attachment.is_in(frozenset({State.OFFLINE}))
        assert offline == (self.attachment.state is DETACHED)
        if self.wanted:
            assert not offline

    def teardown(self) -> None:
        self.attachment.driver.reset()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=3 * settings().max_examples)


def test_the_chart_is_complete() -> None:
    CHART.check(Attachment)


def test_a_hub_that_the_authenticator_refuses_is_released() -> None:
    hub = ScriptedHub()

    def refuse(hub: Hub) -> ScriptedSignIn:
        raise LookupError("no connections")

    attachment = attachment_of(lambda: held(hub), ScriptedSignIn())
    attachment.driver = Driver("a.agentid.pub", Config(), Random(5), codec_named("agentcp"), refuse, attachment)
    with pytest.raises(LookupError):
        attachment.start()
    assert attachment.state is DETACHED
    assert hub.ended


def held(hub: ScriptedHub) -> Hub:
    """The hub, held once more."""
    assert hub.hold()
    return hub


def leaving(hub: ScriptedHub) -> Attachment:
    """An attachment to the hub whose sign-out has just been reported to the loop, which has not heard of it."""
    attachment = attachment_of(lambda: held(hub), ScriptedSignIn())
    attachment.start()
    while attachment.driver.fileno() is None:
        assert hub.turn()
    assert attachment.lease is not None
    attachment.post_stop(attachment.lease, lambda: None)
    while not hub.pool.jobs:
        assert hub.turn()
    assert hub.turn()
    assert attachment.state is LEAVING
    assert len(hub.posted) == 1
    return attachment


def test_a_stop_that_a_start_follows_is_over_at_once_when_the_life_is_at_rest() -> None:
    """It ends before the start on its way begins, and does not wait for the end of the next life."""
    hub = ScriptedHub()
    attachment = leaving(hub)
    over: list[None] = []
    assert attachment.lease is not None
    attachment.post_stop(attachment.lease, lambda: over.append(None))
    attachment.start()
    hub.turn()  # signed out: OFFLINE, but the hub is kept for the start
    assert (attachment.state, attachment.driver.lifecycle.state) == (STARTING, State.OFFLINE)
    assert not over
    hub.turn()
    assert over == [None]
    assert attachment.state is STARTING
    hub.turn()
    assert attachment.state is ATTACHED
    attachment.driver.reset()


def test_a_stop_of_an_earlier_stay_does_not_end_the_next() -> None:
    """It may still run in the loop of the hub that was let go, in another thread."""
    earlier, later = ScriptedHub(), ScriptedHub()
    attachment = leaving(earlier)
    attachment._hold_hub = lambda: held(later)
    over: list[None] = []
    assert attachment.lease is not None
    attachment.post_stop(attachment.lease, lambda: over.append(None))
    earlier.turn()
    assert attachment.state is DETACHED
    attachment.start()
    later.turn()
    earlier.turn()
    assert over == [None]
    assert attachment.state is ATTACHED
    assert attachment.driver.lifecycle.state is State.SIGNING_IN
    attachment.driver.reset()


def test_the_documents_show_the_chart_as_it_is() -> None:
    assert not DiagramFile(PICTURE, format_of(PICTURE)).is_stale(CHART), "docs/connection.md says how to draw it anew"
