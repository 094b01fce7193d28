"""Hypothesis strategies: configurations, events, time, weather, datagrams and charts of any kind.

They need the extra ``testing``.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Row
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.events import EVENTS, Event
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.testing.network import Weather
from agentcp_fsm.wire import (
    AgentCPCodec,
    Codec,
    HeartbeatRequest,
    HeartbeatResponse,
    InviteRequest,
    InviteResponse,
    Message,
)

SECONDS = st.one_of(st.sampled_from([0.001, 0.1, 1.0, 5.0, 30.0, 1e6]), st.floats(0.001, 100.0), st.floats(0.001, 1e6))
COUNTS = st.one_of(st.integers(1, 4), st.integers(1, 1000))


@st.composite
def configs(draw: st.DrawFn, *, attempt_limit: bool = True) -> Config:
    """Valid configurations, the defaults and extreme ones among them; `attempt_limit`: also with one."""
    if draw(st.integers(0, 3)) == 0:
        return Config(sign_in_attempt_limit=draw(st.sampled_from([None, 1, 3])) if attempt_limit else None)
    interval_min, interval_max = sorted((draw(SECONDS), draw(SECONDS)))
    send_retry_initial, send_retry_max = sorted((draw(SECONDS), draw(SECONDS)))
    low, high, highest = sorted((draw(SECONDS), draw(SECONDS), draw(SECONDS)))
    backoff_initial, sign_in_interval_min = draw(st.permutations([low, draw(st.sampled_from([0.0, high]))]))
    return Config(
        interval_min=interval_min,
        interval_max=interval_max,
        probe_interval=draw(SECONDS),
        probe_limit=draw(COUNTS),
        probe_time_max=draw(SECONDS),
        retransmission_min=draw(SECONDS),
        retransmission_spread=draw(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))),
        failure_instant=draw(st.sampled_from([0.0, 0.01, 1.0])),
        send_retry_initial=send_retry_initial,
        send_retry_max=send_retry_max,
        send_failure_limit=draw(COUNTS),
        receive_failure_limit=draw(COUNTS),
        silence_limit=draw(COUNTS),
        silence_timeout=draw(SECONDS),
        sign_in_interval_min=sign_in_interval_min,
        sign_in_timeout=draw(SECONDS),
        sign_in_attempt_limit=draw(st.none() | COUNTS) if attempt_limit else None,
        stable_after=draw(st.just(0.0) | SECONDS),
        flapping_limit=draw(COUNTS),
        flapping_span=draw(st.just(0.0) | SECONDS),
        flapping_wait=draw(SECONDS),
        socket_timeout=draw(SECONDS),
        backoff_initial=backoff_initial or low,
        backoff_max=highest,
        backoff_jitter=draw(st.one_of(st.sampled_from([0.0, 0.75, 1.0]), st.floats(0, 1))),
        retry_after_max=draw(SECONDS),
        unauthorized_spread=draw(st.just(0.0) | SECONDS),
        sign_out_timeout=draw(SECONDS),
        invitation_window=draw(st.sampled_from([0.0, 1.0, 5.0])),
        invitation_memory=draw(st.integers(1, 3)),
        connect_timeout=draw(SECONDS),
        connect_timeout_max=draw(SECONDS),
    )


def sessions() -> st.SearchStrategy[Session]:
    """A few sessions, so that the same one comes again; hosts and cookies at their limits among them."""
    return st.builds(
        Session,
        host=st.sampled_from(["127.0.0.1", "::1", "heartbeat.example"]),
        port=st.sampled_from([1, 5000, 65535]),
        cookie=st.sampled_from([0, 7, 2**64 - 1]),
        token=st.sampled_from(["", "token"]),
    )


def invitations() -> st.SearchStrategy[Invitation]:
    """A few invitations, so that the same one comes again."""
    return st.builds(
        Invitation,
        inviter_agent_id=st.sampled_from(["alice.agentid.example", ""]),
        invite_code=st.just("code"),
        invite_code_expire=st.sampled_from([-(2**63), 0]),
        session_id=st.sampled_from(["1", "2"]),
        message_server=st.just("https://message.example"),
    )


def attempts(present: int = 2) -> st.SearchStrategy[int]:
    """The number of an attempt: mostly the `present` one, else an earlier, a later or an impossible one."""
    return st.one_of(
        st.just(present), st.just(present), st.just(present), st.integers(0, present + 1), st.just(-(2**70))
    )


NEXT_BEATS = st.one_of(
    st.integers(0, 600_000),
    st.sampled_from([5000, 10_000, 300_000, 402, 2**63, 2**64 - 1, -1, -(2**64), 10**400, -(10**400)]),
)
"""NextBeat in milliseconds, the impossible included."""

RETRY_AFTERS = st.one_of(
    st.none(),
    st.floats(0, 1000),
    st.floats(),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 10**400]),
)
"""Retry-After in seconds, the impossible included."""

REASONS = st.sampled_from(["", "timed out"])

DELAYS = st.one_of(
    st.just(0.0),
    st.floats(0, 2),
    st.floats(0, 400),
    st.sampled_from([1e-9, 1e6, 1e9, -1e-9, -1.0, -1e9]),
)
"""What a clock may do from one event to the next, in seconds: also stand, leap, and run backwards."""

_STRATEGIES = {
    "attempt": attempts(),
    "session": sessions(),
    "invitation": invitations(),
    "next_beat": NEXT_BEATS,
    "retry_after": RETRY_AFTERS,
    "rejected": st.booleans(),
    "reason": REASONS,
}


def events(present: int = 2, kind: type[Event] | None = None) -> st.SearchStrategy[Event]:
    """Events of every kind (or of the one given), whether they make sense or not.

    `present` is the attempt that most of them belong to.
    """
    if kind is None:
        return st.sampled_from(EVENTS).flatmap(lambda kind: events(present, kind))
    names: Mapping[str, object] = getattr(kind, "__dataclass_fields__", {})
    chosen = {name: _STRATEGIES[name] for name in names if name in _STRATEGIES}
    if "attempt" in chosen:
        chosen["attempt"] = attempts(present)
    return st.builds(kind, **chosen)


@st.composite
def weathers(draw: st.DrawFn) -> Weather:
    """Weather of a network, from none to a storm."""
    loss = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)
    return Weather(
        loss_up=draw(loss),
        loss_down=draw(loss),
        delay=draw(st.sampled_from([0.001, 0.02, 0.3]) | st.floats(0.001, 3)),
        jitter=draw(st.just(0.0) | st.floats(0, 1)),
    )


# Datagrams ------------------------------------------------------------------------------------------------------------

_U64 = st.integers(0, 2**64 - 1) | st.integers(0, 64).map(lambda bits: min(2**bits, 2**64 - 1))
_I64 = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(max_size=70)
"""At most 4 bytes a character, so that five of them fit into a datagram."""


def messages() -> st.SearchStrategy[Message]:
    """Messages of each kind, with any content that a datagram can carry."""
    return st.one_of(
        st.builds(HeartbeatRequest, _U64, _TEXTS, _U64, mask=_U64),
        st.builds(HeartbeatResponse, _U64, _U64, mask=_U64),
        st.builds(InviteRequest, _U64, st.builds(Invitation, _TEXTS, _TEXTS, _I64, _TEXTS, _TEXTS), mask=_U64),
        st.builds(InviteResponse, _U64, _TEXTS, _TEXTS, _TEXTS, _U64, mask=_U64),
    )


@st.composite
def damaged(draw: st.DrawFn, datagrams: st.SearchStrategy[bytes]) -> bytes:
    """Datagrams with bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(datagrams))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 12)))
        data[start:stop] = draw(st.one_of(st.binary(max_size=12), st.just(bytes(data[start:stop] * 2))))
    return bytes(data)


def datagrams(codec: Codec | None = None) -> st.SearchStrategy[bytes]:
    """Anything that may arrive at a UDP port: messages in the form of `codec`, AgentCP's own unless given; damaged
    ones; and any bytes."""
    sound = messages().map((codec or AgentCPCodec()).encode)
    return st.one_of(sound, damaged(sound), st.binary(max_size=40))


# Charts ---------------------------------------------------------------------------------------------------------------

GUARD_NAMES = ("g0", "g1", "g2")
ACTION_NAMES = ("a0", "a1", "a2", "a3")

_some_actions = st.lists(st.sampled_from(ACTION_NAMES), max_size=2).map(tuple)
_some_guards = st.dictionaries(st.sampled_from(GUARD_NAMES), st.booleans(), max_size=3)


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Charts that `Chart.check` accepts, over the guards g0 to g2 and the actions a0 to a3.

    Two to four states A to D and one to three triggers t0 to t2; guarded rows of one or several sources, transitions,
    reflexive and internal ones; callbacks of entry and exit.
    """
    names = "ABCD"[: draw(st.integers(2, 4))]
    states = tuple(ChartState(name, on_enter=draw(_some_actions), on_exit=draw(_some_actions)) for name in names)
    dests = st.sampled_from([*names, SAME, None])
    rows: list[Row] = []

    def add(trigger: str, source: tuple[str, ...], dest: str | None, guards: Mapping[str, bool]) -> None:
        row = Row(
            trigger,
            source,
            dest,
            prepare=draw(_some_actions),
            conditions=[name for name, wanted in guards.items() if wanted],
            unless=[name for name, wanted in guards.items() if not wanted],
            before=draw(_some_actions),
            after=draw(_some_actions),
        )
        of_trigger = [earlier for earlier in rows if earlier.trigger == trigger]
        shadowed = any(
            set(earlier.conditions) <= set(row.conditions) and set(earlier.unless) <= set(row.unless)
            for earlier in of_trigger
        )
        if not shadowed:
            rows.append(row)

    for trigger in ("t0", "t1", "t2")[: draw(st.integers(1, 3))]:
        for _ in range(draw(st.integers(0, 3))):
            guards = draw(_some_guards)
            source = draw(st.sampled_from([(EVERY,), tuple(names), tuple(names[:1]), tuple(names[1:])]))
            if guards:
                add(trigger, source, draw(dests), guards)
        if trigger == "t0":  # a way around through all states
            for name, following in zip(names, names[1:] + names[:1], strict=True):
                rows.append(Row(trigger, name, following, before=draw(_some_actions), after=draw(_some_actions)))
        elif draw(st.booleans()):
            add(trigger, (EVERY,), draw(dests), {})
        else:
            rows += [Row(trigger, name, draw(dests), after=draw(_some_actions)) for name in names]
    return Chart("random", names[0], states, tuple(rows))
