"""Rules 10 and 11: datagrams.

The names of the tests begin with the number of the rule.
"""

import pytest

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import (
    AnswerInvitation,
    DeliverInvitation,
)
from agentcp_fsm.lifecycle.events import (
    Invited,
    Malformed,
    ReceiveFailed,
    Reconnect,
    SendFailed,
)
from agentcp_fsm.lifecycle.session import Invitation
from tests.lifecycle.life import INVITATION, SESSION, Life, in_state


@pytest.mark.parametrize("state", ["proving", "online", "degraded"])
def test_10_an_invitation_is_answered_and_delivered_once(state: str) -> None:
    life: Life = getattr(Life(), state)()
    before = life.state
    assert life.does(Invited(1, INVITATION), 0.1) == [
        AnswerInvitation(1, 2, SESSION, INVITATION),
        DeliverInvitation(INVITATION),
    ]
    assert life.does(Invited(1, INVITATION), 0.2) == [AnswerInvitation(1, 3, SESSION, INVITATION)]
    assert life.state == before
    assert (life.machine.statistics.invitations, life.machine.statistics.duplicates) == (1, 1)


def test_10_within_the_window_of_its_delivery_it_is_delivered_once() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    for now in (1.0, 3.0, 5.9):
        assert life.does(Invited(1, INVITATION), now) == [
            AnswerInvitation(1, life.machine.sequence, SESSION, INVITATION)
        ], "a retransmission"
    assert life.machine.statistics.duplicates == 3


def test_10_after_the_window_it_is_a_new_one() -> None:
    """A message server invites an agent again with the very same fields after a session has ended."""
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    life.tell(Invited(1, INVITATION), 5.0)  # seen again, it becomes no younger
    for now in (6.0, 20.0):
        assert DeliverInvitation(INVITATION) in life.does(Invited(1, INVITATION), now)
        assert DeliverInvitation(INVITATION) not in life.does(Invited(1, INVITATION), now + 4.9)
    assert life.machine.statistics.invitations == 3


def test_10_without_a_window_each_is_delivered() -> None:
    life = Life(invitation_window=0.0).online()
    for now in (1.0, 1.0, 2.0):
        assert DeliverInvitation(INVITATION) in life.does(Invited(1, INVITATION), now)
    assert life.machine.known_invitations == ()


def test_10_it_is_remembered_across_sessions() -> None:
    life = Life().online(-10.0)
    life.tell(Invited(1, INVITATION), -1.0)
    life.tell(Reconnect(), 0.0)
    life.prove(0.0)
    assert life.does(Invited(2, INVITATION), 0.1) == [AnswerInvitation(2, 4, SESSION, INVITATION)]


def test_10_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    life = Life(invitation_memory=2).online()
    others = [Invitation("bob", "code", number, "session", "") for number in range(3)]
    for number, invitation in enumerate(others):
        assert DeliverInvitation(invitation) in life.does(Invited(1, invitation), number / 10)
    assert life.machine.known_invitations == ((others[1], 0.1), (others[2], 0.2))
    assert DeliverInvitation(others[0]) in life.does(Invited(1, others[0]), 0.3)


def test_10_what_was_delivered_before_the_window_is_forgotten() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 1.0)
    other = Invitation("bob", "code", 1, "session", "")
    life.tell(Invited(1, other), 6.0)
    assert life.machine.known_invitations == ((other, 6.0),)


def test_10_an_answer_that_cannot_be_sent_is_a_failed_send() -> None:
    life = Life().online()
    life.tell(Invited(1, INVITATION), 0.1)
    life.tell(SendFailed(1, "no buffer space"), 0.1)
    assert (life.state, life.deadline) == ("DEGRADED", 1.1)


def test_10_what_is_received_ends_the_row_of_receive_failures() -> None:
    life = Life().online()
    for _ in range(4):
        life.tell(ReceiveFailed(1, "no"), 0.1)
        life.tell(Invited(1, INVITATION), 0.1)
    assert life.state == "DEGRADED"


@pytest.mark.parametrize("state", list(State))
def test_11_noise_is_counted_and_has_no_other_effect(state: str) -> None:
    life = in_state(state)
    now = life.machine.now
    before = life.machine.snapshot()
    for _ in range(5):
        assert life.tell(Malformed(1), now) == []
    assert life.machine.snapshot() == before
    assert life.machine.statistics.malformed == 5
    life.machine.statistics.malformed = 0
    assert life.machine.statistics == in_state(state).machine.statistics
