"""Rule 8: leaving.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.chart import ALIVE, State
from agentcp_fsm.lifecycle.effects import (
    AbandonSignIn,
    CloseSocket,
    ReportTransition,
    SignOut,
)
from agentcp_fsm.lifecycle.events import (
    DeadlinePassed,
    Event,
    Invited,
    SignedIn,
    SignedOut,
    SignInFailed,
    Start,
    Stop,
)
from agentcp_fsm.lifecycle.variables import NEVER
from tests.lifecycle.life import INVITATION, SESSION, Life, in_state, sign_in


def test_8_stop_closes_the_socket_signs_out_and_comes_to_rest() -> None:
    life = Life().online()
    assert life.does(Stop(), 1.0) == [CloseSocket(1), SignOut(1, SESSION)]
    assert (life.state, life.deadline) == ("STOPPING", 4.0)
    assert life.does(SignedOut(1), 2.0) == []
    assert (life.state, life.deadline) == ("OFFLINE", NEVER)
    assert life.machine.session is None


def test_8_the_sign_out_is_bounded() -> None:
    life = Life(sign_out_timeout=7.0).stopping()
    assert life.deadline == 7.0
    life.wake()
    assert life.state == "OFFLINE"


def test_8_stop_abandons_the_sign_in_in_flight() -> None:
    life = Life().signing_in()
    assert life.does(Stop(), 1.0) == [AbandonSignIn(1)]
    assert (life.state, life.deadline) == ("STOPPING", 1.0)
    life.wake()
    assert life.state == "OFFLINE"


@pytest.mark.parametrize("rested", [False, True])
def test_8_a_sign_in_that_still_succeeds_is_signed_out(rested: bool) -> None:
    life = Life().signing_in()
    life.tell(Stop(), 1.0)
    if rested:
        life.wake()
    assert life.does(SignedIn(1, SESSION), 1.0) == [SignOut(1, SESSION)]
    life.tell(SignedOut(1), 1.0)
    life.tell(DeadlinePassed(), 1.0)
    assert (life.state, life.machine.session) == ("OFFLINE", None)
    assert life.machine.statistics.stale >= 1


@pytest.mark.parametrize("state", list(State))
def test_8_stop_from_any_state_and_twice(state: str) -> None:
    life = in_state(state)
    life.tell(Stop(), 1.0)
    expected = "OFFLINE" if state == "OFFLINE" else "STOPPING"
    assert life.state == expected
    deadline = life.deadline
    ignored = life.machine.statistics.ignored
    assert life.tell(Stop(), 1.0) == []
    assert (life.state, life.deadline) == (expected, deadline)
    assert life.machine.statistics.ignored == ignored + 1


@pytest.mark.parametrize("state", [*ALIVE, "BACKOFF"])
def test_8_start_is_idempotent(state: str) -> None:
    life = in_state(state)
    before = life.machine.snapshot()
    assert life.tell(Start(), life.machine.now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.ignored == 1


@pytest.mark.parametrize("ended", [SignedOut(1), DeadlinePassed()])
def test_8_a_start_while_stopping_is_kept_for_afterwards(ended: Event) -> None:
    life = Life().stopping()
    assert life.tell(Start(), 1.0) == []
    assert life.tell(Start(), 1.0) == []
    assert life.machine.statistics.ignored == 1
    assert life.does(ended, 3.0) == [sign_in(2)]
    assert (life.state, life.deadline) == ("SIGNING_IN", 33.0)
    assert life.machine.failures == 0
    life.tell(Stop(), 4.0)
    life.tell(DeadlinePassed(), 4.0)
    assert life.state == "OFFLINE", "the wish is granted once"


def test_8_a_stop_takes_the_start_back() -> None:
    life = Life().stopping()
    life.tell(Start(), 1.0)
    life.tell(Stop(), 1.5)
    assert life.machine.statistics.ignored == 0
    life.tell(SignedOut(1), 2.0)
    assert life.state == "OFFLINE"


def test_8_a_new_life_forgets_the_old_one() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    life.tell(Stop(), 1.0)
    life.tell(SignedOut(1), 1.0)
    life.tell(Start(), 1.0)
    assert life.machine.known_invitations == ()
    life.tell(SignInFailed(2, "no"), 1.0)
    life.wake()
    assert life.state == "SIGNING_IN", "it has not been online in this life"


def test_8_start_by_the_application_need_not_wait() -> None:
    life = Life().signing_in()
    life.tell(Stop(), 0.1)
    life.tell(DeadlinePassed(), 0.1)
    assert life.does(Start(), 0.2) == [sign_in(2)]


@pytest.mark.parametrize("restart", [False, True])
def test_8_a_sign_out_that_failed_is_over_too_and_said_to_have_failed(restart: bool) -> None:
    life = Life().stopping()
    if restart:
        life.tell(Start(), 0.5)
    reports = [effect for effect in life.tell(SignedOut(1, "HTTP 500"), 1.0) if isinstance(effect, ReportTransition)]
    assert len(reports) == 1
    if restart:
        assert life.state == "SIGNING_IN"
        return
    assert (life.state, life.machine.session, life.deadline) == ("OFFLINE", None, NEVER)
    assert (reports[0].reason, reports[0].detail) == (
        "The sign-out failed; the connection is at rest all the same.",
        "HTTP 500",
    )


def test_8_the_report_says_why_stopping_is_over() -> None:
    life = Life().stopping()
    (report,) = life.tell(DeadlinePassed(), life.deadline)
    assert isinstance(report, ReportTransition)
    assert report.reason == "The sign-out has had its time."
    life = Life().signing_in()
    life.tell(Stop(), 1.0)
    (report,) = life.tell(DeadlinePassed(), 1.0)
    assert isinstance(report, ReportTransition)
    assert report.reason == "There is nothing to sign out."
