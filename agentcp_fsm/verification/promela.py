"""The chart as a Promela model, to be checked by spin: a second opinion on what `explore` finds.

Theory of operation
===================

The rows are written out as the chart has them, in their order, for each state and trigger.  What guards ask and actions
do is written here once more, in a few variables: the session, the socket, failures in a row, and whether each of the
two deadlines is armed.  Times are left out: a guard that asks for a time, or for anything else that is not modelled,
answers as it likes, the same throughout an event.  So the model can do all that the machine can, and more; what holds
here, holds there, and what is broken here may be impossible there.

The world knows effects only: sign-ins in flight, open sockets, answers that are still to come.  It is hostile at first:
every event comes at any time, of the present attempt or of another, and any answer is lost.  At any moment it may turn
kind, for good: every answer comes, nothing else happens, and the application starts what is at rest.

Assertions hold the model to S1, S2, S3, S5, S6 and S9, and to that part of S4 that says that heartbeats have a session.
L1 is a formula: once the world is kind, ONLINE is reached.  It needs no fairness: a kind world always does something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agentcp_fsm.fsm.chart import Chart, Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config

FREE = ""
"""Of a guard: it answers as it likes."""

GUARDS: Mapping[str, str] = {
    "deadline_reached": "beat_passed || timeout_passed",
    "timed_out": "timeout_passed",
    "silent": "(unanswered > 1 -> timeout_passed : chosen_silent)",
    "beat_was_answered": "unanswered == 0",
    "session_in_hand": "session",
    "proof_begun": "socket_ready",
    "sign_in_awaited": "present && !session",
    "late_sign_in_awaited": "late && late_sign_in",
    "socket_awaited": "present && socket_open && !socket_ready",
    "socket_in_hand": "present && socket_open",
    "socket_in_use": "present && socket_ready",
    "sign_out_awaited": "present && session",
    "sign_out_failed": FREE,
    "rejected": FREE,
    "send_failed_just_now": "send_failures > 0 && chosen_send_failed_just_now",
    "receive_failed_just_now": "receive_failures > 0 && chosen_receive_failed_just_now",
    "send_failures_exhausted": "send_failures + 1 >= SEND_FAILURE_LIMIT",
    "receive_failures_exhausted": "receive_failures + 1 >= RECEIVE_FAILURE_LIMIT",
    "attempts_exhausted": "ATTEMPTS_LIMITED && (chosen_attempts_exhausted || ATTEMPTS_LIMITED == 1)",
    "online_lasted": FREE,
    "flapping": FREE,
    "refused_again": FREE,
    "sign_in_too_soon": FREE,
    "spread_configured": "SPREAD_CONFIGURED",
    "invitation_known": FREE,
    "was_online": "was_online",
    "restart_wanted": "restart_wanted",
}
"""What each guard asks, as an expression; of a guard that is free in part, ``chosen_NAME`` is that part."""

CLOSE_SOCKET = (
    "assert(sockets == 1); /* S3 */ sockets--; opening = 0; answering = 0; "
    "socket_open = 0; socket_ready = 0; unanswered = 0; send_failures = 0; receive_failures = 0"
)
OPEN_SOCKET = "wanted(); assert(sockets == 0); /* S3 */ sockets++; opening = 1; socket_open = 1"
SEND_HEARTBEAT = (
    "wanted(); assert(session || doubtful); /* S4 */ assert(sockets == 1); answering = 1; "
    "unanswered = (unanswered < 2 -> unanswered + 1 : 2)"
)
TAKE_SESSION = f"session = 1; doubtful = 0; timeout_armed = 1; {OPEN_SOCKET}"
PROVE_AGAIN = f"beat_armed = 1; {SEND_HEARTBEAT}"
COUNT = "skip"
"""Only statistics, reports and durations change."""

ACTIONS: Mapping[str, str] = {
    "begin_anew": "session = 0; doubtful = 0; was_online = 0; restart_wanted = 0",
    "begin_sign_in": "late_sign_in = 0; beat_armed = 0; timeout_armed = 1; wanted(); sign_ins++; signing_in = 1",
    "expect_late_sign_in": "late_sign_in = 1",
    "forgo_late_sign_in": "late_sign_in = 0",
    "drop_attempt": f"if :: socket_open -> {CLOSE_SOCKET} :: else -> sign_ins = 0; signing_in = 0 fi; beat_armed = 0",
    "doubt_session": "doubtful = session; session = 0",
    "forget_session": "session = 0; doubtful = 0",
    "note_failed_attempt": COUNT,
    "note_loss": COUNT,
    "note_early_loss": COUNT,
    "note_refusal": COUNT,
    "end_refusals": COUNT,
    "take_session": TAKE_SESSION,
    "take_late_session": f"late_sign_in = 0; beat_armed = 0; {TAKE_SESSION}",
    "prove_session": f"socket_ready = 1; timeout_armed = 1; {PROVE_AGAIN}",
    "prove_again": PROVE_AGAIN,
    "allow_more_time": COUNT,
    "plan_probe": "beat_armed = doubtful",
    "open_probe": f"assert(doubtful); beat_armed = 1; {OPEN_SOCKET}",
    "send_probe": f"socket_ready = 1; {PROVE_AGAIN}",
    "close_probe": f"if :: socket_open -> {CLOSE_SOCKET} :: else fi",
    "recall_session": "session = doubtful; doubtful = 0",
    "send_heartbeat": f"{PROVE_AGAIN}; unanswered = 1",
    "repeat_heartbeat": f"if :: unanswered == 1 -> timeout_armed = 1 :: else fi; {PROVE_AGAIN}",
    "note_answer": "unanswered = 0; send_failures = 0; receive_failures = 0; beat_armed = 1; timeout_armed = 0",
    "come_online": "was_online = 1",
    "note_degraded": COUNT,
    "confirm_session": "assert(session)",
    "note_sent": "send_failures = 0",
    "note_send_failure": "send_failures++",
    "count_send_failure": COUNT,
    "retry_proof": "beat_armed = 1",
    "retry_heartbeat": "beat_armed = 1; if :: unanswered == 1 -> timeout_armed = 1 :: else fi",
    "note_receive_failure": "receive_failures++",
    "count_receive_failure": COUNT,
    "answer_invitation": "wanted(); assert(session || doubtful); /* S4 */ receive_failures = 0",
    "deliver_invitation": COUNT,
    "heed_retry_after": COUNT,
    "back_off": "timeout_armed = 1",
    "back_off_rejected": "timeout_armed = 1",
    "back_off_refused": "timeout_armed = 1",
    "wait_minimum": "timeout_armed = 1",
    "spread": COUNT,
    "end_wait_early": "timeout_armed = 1",
    "sign_out": (
        "if :: doubtful -> session = 1; doubtful = 0 :: else fi; "
        "beat_armed = 0; timeout_armed = 1; signing_out = session"
    ),
    "sign_out_late": COUNT,
    "want_restart": "restart_wanted = 1",
    "cancel_restart": "restart_wanted = 0",
    "come_to_rest": "session = 0; timeout_armed = 0",
    "report_error": COUNT,
    "report_refusals": COUNT,
    "report_giving_up": COUNT,
    "count_ignored": COUNT,
    "count_stale": COUNT,
    "count_malformed": COUNT,
    "count_duplicate": COUNT,
}
"""What each action does to the variables and to the world."""

VARIABLES = """\
/* The machine's. */
bit session, doubtful, was_online, restart_wanted, socket_open, socket_ready, late_sign_in, beat_armed, timeout_armed;
byte unanswered; /* 2: or more */
byte send_failures, receive_failures;

/* The world's: what is open, and which answers are still to come. */
byte sign_ins, sockets;
bit signing_in, opening, answering, signing_out, kind;
bit stopped = 1; /* by the application */

/* The event's. */
bit present, late, beat_passed, timeout_passed;
"""

WORLD = """\
    :: atomic { !kind -> kind = 1 }
    :: atomic { !kind && signing_in -> signing_in = 0 }
    :: atomic { !kind && opening -> opening = 0 }
    :: atomic { !kind && answering -> answering = 0 }
    :: atomic { !kind && signing_out -> signing_out = 0 }
    :: atomic {
        if
        :: kind ->
            present = 1;
            if
            :: signing_in -> event = on_signed_in
            :: opening -> event = on_socket_opened
            :: answering -> event = on_beat_answered
            :: signing_out -> event = on_signed_out
            :: else ->
                if
                :: state == OFFLINE -> event = on_start
                :: state != OFFLINE && (beat_armed || timeout_armed) ->
                    event = on_deadline_passed;
                    if
                    :: beat_armed -> beat_passed = 1; if :: timeout_armed -> timeout_passed = 1 :: true fi
                    :: timeout_armed -> timeout_passed = 1
                    fi
                fi
            fi
        :: !kind ->
            if
%(events)s
            fi;
            if :: true -> present = 1 :: true -> late = 1 :: true fi;
            if :: beat_armed -> beat_passed = 1 :: true fi;
            if :: timeout_armed -> timeout_passed = 1 :: true fi
        fi;
        if
        :: present && (event == on_signed_in || event == on_sign_in_failed) -> sign_ins = 0; signing_in = 0
        :: present && (event == on_socket_opened || event == on_socket_failed) -> opening = 0
        :: present && (event == on_beat_answered || event == on_unauthorized) -> answering = 0
        :: present && event == on_signed_out -> signing_out = 0
        :: event == on_start -> stopped = 0
        :: event == on_stop -> stopped = 1
        :: else
        fi;
"""

INVARIANTS = """\
        /* S1 */
        assert(!(state == ONLINE || state == DEGRADED) || sockets == 1);
        assert(!(state == SIGNING_IN || state == RECONNECTING) || sockets == session);
        assert(state != BACKOFF || sockets == 0 || doubtful);
        assert(!(state == OFFLINE || state == STOPPING) || sockets == 0);
        /* S2 */
        assert(sign_ins <= 1);
        assert(sign_ins == 0 || ((state == SIGNING_IN || state == RECONNECTING) && sockets == 0));
        /* S5 */
        assert(send_failures < SEND_FAILURE_LIMIT && receive_failures < RECEIVE_FAILURE_LIMIT);
        assert(state != ONLINE || (send_failures == 0 && receive_failures == 0));
        /* S6 */
        assert(state == OFFLINE || beat_armed || timeout_armed);
"""

L1 = "ltl L1 { [] (kind -> <> (state == ONLINE)) }\n"


def promela(config: Config, chart: Chart = CHART, changed: Mapping[str, str] | None = None) -> str:
    """The model of a connection's chart under a configuration, as the text of a Promela file.

    `changed` gives other expressions for guards and other statements for actions, by name.  Each row is marked by a
    ``printf`` of ``row NUMBER in STATE``, where NUMBER counts `chart.rows` from 0: in a trail it names the rows that
    were taken, and among the statements never reached it names the others.
    """
    guards, actions = dict(GUARDS), dict(ACTIONS)
    for name, text in (changed or {}).items():
        (guards if name in guards else actions)[name] = text
    limit = config.sign_in_attempt_limit
    events = "\n".join(f"            :: event = on_{trigger}" for trigger in chart.triggers)
    chosen = [f"chosen_{name}" for name, text in guards.items() if not text or f"chosen_{name}" in text]
    lines = [
        f"/* The chart {chart.name} as spin checks it; see agentcp_fsm.verification.promela. */",
        f"#define SEND_FAILURE_LIMIT {config.send_failure_limit}",
        f"#define RECEIVE_FAILURE_LIMIT {config.receive_failure_limit}",
        f"#define ATTEMPTS_LIMITED {0 if limit is None else min(limit, 2)} /* 2: or more */",
        f"#define SPREAD_CONFIGURED {int(config.unauthorized_spread > 0)}",
        f"mtype:states = {{ {', '.join(chart.state_names)} }};",
        f"mtype:events = {{ none, {', '.join(f'on_{trigger}' for trigger in chart.triggers)} }};",
        f"mtype:states state = {chart.initial};",
        "mtype:events event = none;",
        VARIABLES,
        f"bit {', '.join(chosen)};",
        "",
        "inline wanted() { assert(!stopped && state != OFFLINE && state != STOPPING) /* S9 */ }",
        "",
        "active proctype connection() {",
        "    do",
        WORLD % {"events": events} + "        if",
    ]
    for state in chart.state_names:
        lines += [f"        :: state == {state} ->", "            if"]
        for trigger in chart.triggers:
            lines += _cell(chart, state, trigger, guards, actions)
        lines += ["            fi"]
    lines += [
        "        fi;",
        INVARIANTS.rstrip(),
        "        event = none; present = 0; late = 0; beat_passed = 0; timeout_passed = 0;",
        f"        {'; '.join(f'{name} = 0' for name in chosen)}",
        "    }",
        "    od",
        "}",
        "",
        L1,
    ]
    return "\n".join(lines)


def _cell(
    chart: Chart, state: str, trigger: str, guards: Mapping[str, str], actions: Mapping[str, str]
) -> Iterator[str]:
    """The rows of one state and trigger, in their order."""
    cell = chart.cell(state, trigger)
    yield f"            :: event == on_{trigger} ->"
    for name in dict.fromkeys(name for row in cell for name in row.conditions + row.unless):
        if not guards[name] or f"chosen_{name}" in guards[name]:
            yield f"                if :: true -> chosen_{name} = 1 :: true fi;"
    depth = 0
    for row in cell:
        indent = " " * (16 + 4 * depth)
        does = f'printf("row {chart.rows.index(row)} in {state}\\n"); {"; ".join(_effects(row, state, actions))}'
        if not row.guards:
            yield f"{indent}{does}"
            break
        yield f"{indent}if"
        yield f"{indent}:: {_asked(row, guards)} -> {does}"
        yield f"{indent}:: else ->"
        depth += 1
    for level in reversed(range(depth)):
        yield f"{' ' * (16 + 4 * level)}fi"


def _asked(row: Row, guards: Mapping[str, str]) -> str:
    def ask(names: Iterable[str]) -> list[str]:
        return [f"({guards[name] or f'chosen_{name}'})" for name in names]

    return " && ".join([*ask(row.conditions), *(f"!{text}" for text in ask(row.unless))])


def _effects(row: Row, state: str, actions: Mapping[str, str]) -> Iterator[str]:
    yield from (actions[name] for name in row.before if actions[name] != COUNT)
    if row.dest is not None:
        yield f"state = {row.leads_to(state)}"
    yield from (actions[name] for name in row.after if actions[name] != COUNT)
