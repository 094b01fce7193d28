"""Messages in any order, any number of times: what the machine makes of them (docs/messages.md).

A property each, in the simulator's world, whose monitor watches the invariants all the while.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import AnswerInvitation, DeliverInvitation, SendHeartbeat, SignIn
from agentcp_fsm.lifecycle.events import BeatAnswered, Event, Invited, Reconnect, Unauthorized
from agentcp_fsm.lifecycle.session import Invitation
from tests.lifecycle.worlds import LIMIT, online


def invitation(number: int) -> Invitation:
    return Invitation("bob.agentid.pub", "code", number, "session", "wss://message.example")


@given(
    numbers=st.lists(st.integers(0, 5) | st.sampled_from(["reconnect", "wait"]), max_size=40), memory=st.integers(1, 4)
)
def test_an_invitation_is_delivered_unless_it_was_a_short_while_ago_and_always_answered(
    numbers: list[int | str], memory: int
) -> None:
    world = online(Config(invitation_memory=memory))
    delivered_at: dict[int, float] = {}
    for number in numbers:
        if isinstance(number, str):
            if number == "reconnect":
                world.tell(Reconnect())
            world.run_for(0.7)
            world.run_until(State.ONLINE, LIMIT)
            continue
        effects = world.tell(Invited(world.machine.attempt, invitation(number)))
        answers = [effect for effect in effects if isinstance(effect, AnswerInvitation)]
        delivered = [effect.invitation for effect in effects if isinstance(effect, DeliverInvitation)]
        assert [each.invitation for each in answers] == [invitation(number)]
        assert answers[0].session == world.machine.session
        latest = list(delivered_at)[-memory:]
        known = number in latest and world.now - delivered_at[number] < 5.0
        assert delivered == ([] if known else [invitation(number)])
        if not known:
            delivered_at.pop(number, None)
            delivered_at[number] = world.now
    assert len(world.machine.known_invitations) <= memory


@given(
    answers=st.lists(
        st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 400_000), st.integers(-2, 0)), min_size=1, max_size=30
    )
)
def test_answers_of_whatever_order_change_nothing_but_the_interval(answers: list[tuple[int, int]]) -> None:
    """Those of the present session; those of earlier attempts change nothing at all."""
    world = online(Config())
    world.tell(Reconnect())
    world.run_until(State.ONLINE, LIMIT)
    world.run_for(1.0)
    machine = world.machine
    attempts, losses = machine.statistics.attempts, machine.statistics.losses
    for next_beat, earlier in answers:
        before = machine.snapshot()
        effects = world.tell(BeatAnswered(machine.attempt + earlier, next_beat))
        assert effects == []
        if earlier:
            assert machine.snapshot() == before._replace(now=world.now)
        else:
            assert machine.interval == min(max(next_beat / 1000, 5.0), 30.0)
    assert world.state == State.ONLINE
    assert (machine.statistics.attempts, machine.statistics.losses) == (attempts, losses)
    due = machine.deadline - world.now
    assert due <= machine.config.interval_max, "no answer puts the next heartbeat off for longer"


@given(copies=st.integers(1, 20), seconds=st.floats(1.0, 300.0), spread=st.sampled_from([0.0, 2.0]))
def test_whoever_repeats_401_for_ever_causes_a_sign_in_each_least_time_at_most(
    copies: int, seconds: float, spread: float
) -> None:
    world = online(Config(unauthorized_spread=spread))
    began, attempts = world.now, world.machine.statistics.attempts
    while world.now < began + seconds:
        for _ in range(copies):
            world.tell(Unauthorized(world.machine.attempt))
        assert world.state != State.ONLINE
        world.run_until(State.ONLINE, LIMIT)
    signed_in = world.machine.statistics.attempts - attempts
    assert signed_in <= 1 + (world.now - began) / world.machine.config.sign_in_interval_min
    assert world.machine.statistics.losses == signed_in, "of the copies, one is believed and the others are late"
    sign_ins = [at for at, effect in world.effects if isinstance(effect, SignIn)]
    assert all(later - earlier >= 5.0 for earlier, later in pairwise(sign_ins))


@given(data=st.data())
def test_message_seq_grows_by_one_with_each_datagram_whatever_comes(data: st.DataObject) -> None:
    """Protocol, "Datagrams"; also over reconnects."""
    world = online(Config())
    for _ in range(data.draw(st.integers(0, 30))):
        attempt = world.machine.attempt
        event: Event = data.draw(
            st.sampled_from(
                [Invited(attempt, invitation(1)), Unauthorized(attempt), Reconnect(), BeatAnswered(attempt, 1)]
            )
        )
        world.tell(event)
        world.run_until(State.ONLINE, LIMIT)
        world.run_for(data.draw(st.sampled_from([0.0, 6.0])))
    sequences = [effect.sequence for _, effect in world.effects if isinstance(effect, SendHeartbeat | AnswerInvitation)]
    assert sequences == list(range(1, len(sequences) + 1))
