"""Edges of the rules that no other test walked along until a mutant of the machine did."""

from random import Random

import pytest

from agentcp_fsm import Config, Invitation, Lifecycle, State
from agentcp_fsm.lifecycle.effects import AnswerInvitation, DeliverInvitation
from agentcp_fsm.lifecycle.events import (
    DeadlinePassed,
    Invited,
    SignInFailed,
    Start,
    Unauthorized,
)
from tests.lifecycle.worlds import online

INVITATION = Invitation("bob.agentid.pub", "CODE", 0, "session-1", "wss://msg.agentid.pub")


def test_a_restored_machine_knows_the_invitations_of_its_snapshot() -> None:
    machine = online(Config()).machine
    assert DeliverInvitation(INVITATION) in machine.handle(Invited(1, INVITATION), 1.0)
    restored = Lifecycle(Config(), Random(1))
    restored.restore(machine.snapshot())
    (answer,) = restored.handle(Invited(1, INVITATION), 2.0)
    assert isinstance(answer, AnswerInvitation)


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_any_span_spreads_the_sign_ins_after_a_401(spread: float) -> None:
    machine = online(Config(unauthorized_spread=spread)).machine
    machine.handle(Unauthorized(1), 100.0)
    assert machine.state is State.BACKOFF
    assert 100.0 <= machine.deadline <= 100.0 + spread


def test_a_retry_after_of_less_than_a_second_is_obeyed() -> None:
    config = Config(sign_in_interval_min=0.0, backoff_initial=0.01, backoff_max=0.02)
    machine = Lifecycle(config, Random(1))
    machine.handle(Start(), 0.0)
    machine.handle(SignInFailed(1, "busy", retry_after=0.5), 0.0)
    assert 0.5 <= machine.deadline <= 0.52


def test_the_cap_holds_for_the_whole_wait_at_any_time_of_the_clock() -> None:
    machine, now = Lifecycle(Config(), Random(1)), 50_000.0
    machine.handle(Start(), now)
    longest = 0.0
    for attempt in range(1, 200):
        machine.handle(SignInFailed(attempt, "no"), now)
        longest = max(longest, machine.deadline - now)
        now = machine.deadline
        machine.handle(DeadlinePassed(), now)
    assert 25.0 < longest <= 30.0
