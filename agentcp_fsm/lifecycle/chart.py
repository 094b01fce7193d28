"""The life of a connection: one table that decides all behaviour.

Theory of operation
===================

A connection is made in *attempts*.  An attempt is one sign-in, then a socket to the server that the sign-in named, then
heartbeats, every second, until one is answered.  That answer, and nothing else, proves the connection: ONLINE.  The
first attempts are made in SIGNING_IN, those after the connection was once ONLINE in RECONNECTING; they differ in name
only.  An attempt that fails is followed by a BACKOFF, in which nothing is in flight, and then by the next attempt.

In ONLINE a heartbeat leaves at every interval.  The first thing that goes wrong (a failed send or receive, a heartbeat
unanswered for one interval) leads to DEGRADED, where the session still stands and everything goes on; the next answer
leads back.  What goes wrong too often, or too long, or is told by the server (401), means that the connection is lost:
socket and session are dropped first, and the next attempt begins, or waits in BACKOFF until it may.

`stop` leads from everywhere to STOPPING in one step, and from there, bounded in time, to OFFLINE.

Every state but OFFLINE has a deadline armed at all times; ``deadline_passed`` is decided in each of them.  So there is
no state to be stuck in: whatever is waited for, there is a row for when it does not come.

Reading a row: on the trigger, in any of the source states, if all guards agree, go to the destination (None: stay, this
is no transition), run ``before`` on the way out and ``after`` on the way in.  Rows are tried from top to bottom, so a
row without guards says "otherwise".  The words of guards and actions are explained in GUARDS and ACTIONS; what they do
is in `agentcp_fsm.lifecycle.machine`, under the same names, and none of them decides anything about states.
"""

from enum import StrEnum

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Role, Row


class State(StrEnum):
    """The seven states of a connection (lifecycle, "States")."""

    OFFLINE = "OFFLINE"
    SIGNING_IN = "SIGNING_IN"
    ONLINE = "ONLINE"
    DEGRADED = "DEGRADED"
    RECONNECTING = "RECONNECTING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"


OFFLINE, SIGNING_IN, ONLINE, DEGRADED, RECONNECTING, BACKOFF, STOPPING = State

STATES = (
    ChartState(OFFLINE, "At rest; the first and the last state.", owns="nothing", role=Role.REST),
    ChartState(SIGNING_IN, "The first session is being obtained.", owns="one sign-in, then one socket; a deadline",
               role=Role.WORKING),
    ChartState(ONLINE, "The last heartbeat was answered in time.", owns="session, socket; a deadline",
               role=Role.HEALTHY),
    ChartState(DEGRADED, "The session stands, but something failed since the last answer.",
               owns="session, socket; a deadline", role=Role.IMPAIRED),
    ChartState(RECONNECTING, "Session or socket were lost and are being replaced.",
               owns="one sign-in, then one socket; a deadline", role=Role.WORKING),
    ChartState(BACKOFF, "Waiting to try again; nothing is in flight.", owns="a deadline", role=Role.WAITING),
    ChartState(STOPPING, "The application wants out; the sign-out is under way.", owns="one sign-out; a deadline",
               role=Role.LEAVING),
)  # fmt: skip

CONNECTING = (SIGNING_IN, RECONNECTING)
"""An attempt is under way."""
SERVING = (ONLINE, DEGRADED)
"""The session was proven by an answer."""
ALIVE = (*CONNECTING, *SERVING)
"""There may be a socket."""
SOCKETLESS = (OFFLINE, BACKOFF, STOPPING)
"""There is none."""

GUARDS = {
    "deadline_reached": "the deadline that the machine asked for has come",
    "timed_out": "what the state waits for is overdue: a sign-in, a socket, or an answer for too long",
    "beat_was_answered": "no heartbeat awaits its answer",
    "session_in_hand": "the attempt's sign-in has succeeded",
    "sign_in_awaited": "the result is that of the sign-in in flight",
    "socket_awaited": "the event is of the socket that is being opened",
    "socket_in_hand": "the event is of this attempt's socket, opened or being opened",
    "socket_in_use": "the event is of this attempt's socket, which is open",
    "sign_out_awaited": "the sign-out is that of the session being left",
    "sign_out_failed": "the sign-out came to nothing",
    "rejected": "retrying soon cannot mend it",
    "send_failures_exhausted": "this failed send is the last that is tolerated",
    "receive_failures_exhausted": "this failed receive is the last that is tolerated",
    "attempts_exhausted": "a limit of attempts is configured and reached",
    "sign_in_too_soon": "the least time between two sign-ins, or a Retry-After, has not passed",
    "spread_configured": "sign-ins after a 401 are to be spread over a span",
    "invitation_known": "the same invitation was delivered before",
    "was_online": "the connection has been ONLINE since it was started",
    "restart_wanted": "the application called start while stopping",
}

ACTIONS = {
    "begin_anew": "forget everything of an earlier life",
    "begin_sign_in": "start the next attempt's sign-in, with a bounded time",
    "drop_attempt": "abandon the sign-in in flight, or close the socket that came of it",
    "forget_session": "let go of the session",
    "note_failed_attempt": "count it",
    "note_loss": "count it and keep the reason",
    "take_session": "keep the session and open a socket to its server, with a bounded time",
    "prove_session": "send the first heartbeat, and bound the time until one is answered",
    "send_heartbeat": "send a heartbeat and set the time of the next",
    "note_answer": "clear every failure; the server's NextBeat, bounded, is the interval",
    "come_online": "attempts and backoff start afresh",
    "confirm_session": "tell whoever signed in that the session is good",
    "note_sent": "the send failures, if any, are over",
    "note_send_failure": "count it and try again soon",
    "note_receive_failure": "count it",
    "answer_invitation": "send the invite response",
    "deliver_invitation": "remember the invitation and hand it to the application",
    "heed_retry_after": "no sign-in before the server's Retry-After, bounded, has passed",
    "heed_rejection": "no sign-in before the cap of the backoff has passed",
    "back_off": "wait until a sign-in may start, and then a part, drawn at random, of the capped exponential backoff",
    "wait_minimum": "wait for what is left of the least time between two sign-ins",
    "wait_spread": "wait for a random part of the configured span, and for the least time between two sign-ins",
    "end_wait_early": "wait only for what is left of the least time between two sign-ins",
    "report_error": "tell a person: retrying will not mend it",
    "report_giving_up": "tell a person: the limit of attempts is reached",
    "sign_out": "sign the session out, with a bounded time; without one, there is nothing to wait for",
    "sign_out_late": "sign out the session of a sign-in that succeeded after it was abandoned",
    "want_restart": "start again once stopped",
    "cancel_restart": "stay stopped after all",
    "come_to_rest": "let go of everything",
    "count_ignored": "count an event that has no meaning here",
    "count_stale": "count an event of an earlier attempt",
    "count_malformed": "count a datagram that is none of the protocol's",
    "count_duplicate": "count an invitation that was delivered before",
}

DROP = ("drop_attempt", "forget_session")
"""What comes before anything else when a new attempt is to follow (rule 5)."""
FAIL = (*DROP, "note_failed_attempt")
"""The attempt has failed."""
LOSE = (*DROP, "note_loss")
"""The connection, proven before, is lost."""
GIVE_UP = ("drop_attempt", "note_failed_attempt")
"""The last attempt has failed; its session, if there is one, is still to be signed out."""


def ignored(
    trigger: str,
    source: tuple[str, ...],
    reason: str,
    *,
    unless: str | tuple[str, ...] = (),
    after: str = "count_ignored",
) -> Row:
    """A row that says that nothing happens, on purpose, and is counted."""
    return Row(trigger, source, None, unless=unless, after=after, reason=reason, ignored=True)


ROWS = (
    # start, stop ------------------------------------------------------------------------------------------------------
    Row("start", OFFLINE, SIGNING_IN, after=("begin_anew", "begin_sign_in"),
        reason="The application wants to be reachable."),
    Row("start", STOPPING, None, unless="restart_wanted", after="want_restart",
        reason="Leaving comes first; the start is kept for afterwards."),
    ignored("start", (STOPPING, *ALIVE, BACKOFF), "It is started already."),

    Row("stop", ALIVE, STOPPING, before="drop_attempt", after="sign_out",
        reason="The application wants out: the socket is closed, a sign-in in flight abandoned."),
    Row("stop", BACKOFF, STOPPING, after="sign_out",
        reason="The application wants out; nothing is in flight."),
    Row("stop", STOPPING, None, conditions="restart_wanted", after="cancel_restart",
        reason="The application changed its mind about starting again."),
    ignored("stop", (OFFLINE, STOPPING), "It is stopped already."),

    # signing in -------------------------------------------------------------------------------------------------------
    ignored("signed_in", CONNECTING, "The result of a sign-in that nobody waits for.",
            unless="sign_in_awaited", after="count_stale"),
    Row("signed_in", CONNECTING, None, after="take_session",
        reason="The session names the server: the socket comes next."),
    Row("signed_in", (STOPPING, OFFLINE), None, after="sign_out_late",
        reason="An abandoned sign-in succeeded after all: its session is signed out."),
    ignored("signed_in", (*SERVING, BACKOFF), "The result of a sign-in that nobody waits for.", after="count_stale"),

    ignored("sign_in_failed", CONNECTING, "The result of a sign-in that nobody waits for.",
            unless="sign_in_awaited", after="count_stale"),
    Row("sign_in_failed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="The sign-in failed, and it was the last attempt allowed."),
    Row("sign_in_failed", CONNECTING, BACKOFF, conditions="rejected", before=FAIL,
        after=("report_error", "heed_retry_after", "heed_rejection", "back_off"),
        reason="The server rejected the sign-in; retrying soon cannot mend that."),
    Row("sign_in_failed", CONNECTING, BACKOFF, before=FAIL, after=("heed_retry_after", "back_off"),
        reason="The sign-in failed; it is tried again."),
    ignored("sign_in_failed", (*SERVING, *SOCKETLESS), "The result of a sign-in that nobody waits for.",
            after="count_stale"),

    # the socket -------------------------------------------------------------------------------------------------------
    ignored("socket_opened", CONNECTING, "A socket that nobody waits for.",
            unless="socket_awaited", after="count_stale"),
    Row("socket_opened", CONNECTING, None, after="prove_session",
        reason="The first heartbeat leaves at once."),
    ignored("socket_opened", (*SERVING, *SOCKETLESS), "A socket that nobody waits for.", after="count_stale"),

    ignored("socket_failed", ALIVE, "An earlier attempt's socket.", unless="socket_in_hand", after="count_stale"),
    Row("socket_failed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="The socket failed, and it was the last attempt allowed."),
    Row("socket_failed", CONNECTING, BACKOFF, before=FAIL, after="back_off",
        reason="The socket failed; the attempt is over."),
    Row("socket_failed", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE, after="wait_minimum",
        reason="The socket is lost; the last sign-in was too recent for the next."),
    Row("socket_failed", SERVING, RECONNECTING, before=LOSE, after="begin_sign_in",
        reason="The socket is lost."),
    ignored("socket_failed", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    # sending ----------------------------------------------------------------------------------------------------------
    ignored("beat_sent", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("beat_sent", ALIVE, None, after="note_sent",
        reason="Sending works; only an answer proves the connection."),
    ignored("beat_sent", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    ignored("send_failed", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("send_failed", (*CONNECTING, DEGRADED), None, unless="send_failures_exhausted", after="note_send_failure",
        reason="A send failed; it is tried again soon."),
    Row("send_failed", ONLINE, DEGRADED, unless="send_failures_exhausted", after="note_send_failure",
        reason="A send failed; it is tried again soon."),
    Row("send_failed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="Sending fails, and it was the last attempt allowed."),
    Row("send_failed", CONNECTING, BACKOFF, before=FAIL, after="back_off",
        reason="Sending fails; the attempt is over."),
    Row("send_failed", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE, after="wait_minimum",
        reason="Sending fails: the connection is lost; the last sign-in was too recent for the next."),
    Row("send_failed", SERVING, RECONNECTING, before=LOSE, after="begin_sign_in",
        reason="Sending fails: the connection is lost."),
    ignored("send_failed", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    # receiving --------------------------------------------------------------------------------------------------------
    ignored("receive_failed", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("receive_failed", (*CONNECTING, DEGRADED), None, unless="receive_failures_exhausted",
        after="note_receive_failure",
        reason="A receive failed; the next may not."),
    Row("receive_failed", ONLINE, DEGRADED, unless="receive_failures_exhausted", after="note_receive_failure",
        reason="A receive failed; the next may not."),
    Row("receive_failed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="Receiving fails, and it was the last attempt allowed."),
    Row("receive_failed", CONNECTING, BACKOFF, before=FAIL, after="back_off",
        reason="Receiving fails; the attempt is over."),
    Row("receive_failed", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE, after="wait_minimum",
        reason="Receiving fails: the connection is lost; the last sign-in was too recent for the next."),
    Row("receive_failed", SERVING, RECONNECTING, before=LOSE, after="begin_sign_in",
        reason="Receiving fails: the connection is lost."),
    ignored("receive_failed", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    ignored("beat_answered", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("beat_answered", CONNECTING, ONLINE, after=("note_answer", "come_online", "confirm_session"),
        reason="The server answered a heartbeat: the connection is proven."),
    Row("beat_answered", ONLINE, None, after="note_answer",
        reason="All is well."),
    Row("beat_answered", DEGRADED, ONLINE, after="note_answer",
        reason="The server answered again."),
    ignored("beat_answered", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    ignored("unauthorized", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("unauthorized", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="The server refused the new session, and it was the last attempt allowed."),
    Row("unauthorized", CONNECTING, BACKOFF, before=FAIL, after="back_off",
        reason="The server refused the new session; the attempt is over."),
    Row("unauthorized", SERVING, BACKOFF, conditions="spread_configured", before=LOSE, after="wait_spread",
        reason="The server forgot the session, perhaps everybody's: sign-ins are spread in time."),
    Row("unauthorized", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE, after="wait_minimum",
        reason="The server forgot the session; the last sign-in was too recent for the next."),
    Row("unauthorized", SERVING, RECONNECTING, before=LOSE, after="begin_sign_in",
        reason="The server forgot the session."),
    ignored("unauthorized", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    ignored("invited", ALIVE, "An earlier attempt's socket.", unless="socket_in_use", after="count_stale"),
    Row("invited", ALIVE, None, conditions="invitation_known", after=("answer_invitation", "count_duplicate"),
        reason="The server repeats an invitation: answered again, delivered once."),
    Row("invited", ALIVE, None, after=("answer_invitation", "deliver_invitation"),
        reason="Answered at once, whatever the application does with it."),
    ignored("invited", SOCKETLESS, "An earlier attempt's socket.", after="count_stale"),

    ignored("malformed", (EVERY,), "Noise is no failure.", after="count_malformed"),

    # time -------------------------------------------------------------------------------------------------------------
    ignored("deadline_passed", (*ALIVE, BACKOFF, STOPPING), "Woken early: nothing is due.",
            unless="deadline_reached"),
    Row("deadline_passed", CONNECTING, None, unless="timed_out", after="send_heartbeat",
        reason="No answer yet: the heartbeat is repeated."),
    Row("deadline_passed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=GIVE_UP,
        after=("report_giving_up", "sign_out"),
        reason="No answer in time, and it was the last attempt allowed."),
    Row("deadline_passed", CONNECTING, BACKOFF, conditions="session_in_hand", before=FAIL, after="back_off",
        reason="The session's server answers no heartbeat; the attempt is over."),
    Row("deadline_passed", CONNECTING, BACKOFF, before=FAIL, after="back_off",
        reason="The sign-in takes too long; the attempt is over."),
    Row("deadline_passed", ONLINE, None, conditions="beat_was_answered", after="send_heartbeat",
        reason="The next heartbeat is due."),
    Row("deadline_passed", SERVING, BACKOFF, conditions=("timed_out", "sign_in_too_soon"), before=LOSE,
        after="wait_minimum",
        reason="The server is silent: the connection is lost; the last sign-in was too recent for the next."),
    Row("deadline_passed", SERVING, RECONNECTING, conditions="timed_out", before=LOSE, after="begin_sign_in",
        reason="The server is silent: the connection is lost."),
    Row("deadline_passed", ONLINE, DEGRADED, after="send_heartbeat",
        reason="A heartbeat went unanswered for one interval."),
    Row("deadline_passed", DEGRADED, None, after="send_heartbeat",
        reason="The next heartbeat is due, or a failed one is tried again."),
    Row("deadline_passed", BACKOFF, RECONNECTING, conditions="was_online", after="begin_sign_in",
        reason="The wait is over."),
    Row("deadline_passed", BACKOFF, SIGNING_IN, after="begin_sign_in",
        reason="The wait is over; the first session is still to be obtained."),
    Row("deadline_passed", STOPPING, SIGNING_IN, conditions="restart_wanted", after=("begin_anew", "begin_sign_in"),
        reason="The stop is over; the application wants to be reachable again."),
    Row("deadline_passed", STOPPING, OFFLINE, conditions="session_in_hand", after="come_to_rest",
        reason="The sign-out has had its time."),
    Row("deadline_passed", STOPPING, OFFLINE, after="come_to_rest",
        reason="There is nothing to sign out."),
    ignored("deadline_passed", (OFFLINE,), "At rest, nothing is due."),

    # leaving ----------------------------------------------------------------------------------------------------------
    ignored("signed_out", (STOPPING,), "Another session's sign-out.", unless="sign_out_awaited", after="count_stale"),
    Row("signed_out", STOPPING, SIGNING_IN, conditions="restart_wanted", after=("begin_anew", "begin_sign_in"),
        reason="The sign-out is over; the application wants to be reachable again."),
    Row("signed_out", STOPPING, OFFLINE, conditions="sign_out_failed", after="come_to_rest",
        reason="The sign-out failed; the connection is at rest all the same."),
    Row("signed_out", STOPPING, OFFLINE, after="come_to_rest",
        reason="Signed out."),
    ignored("signed_out", (*ALIVE, BACKOFF, OFFLINE), "An earlier life's sign-out.", after="count_stale"),

    # the application's hurry ------------------------------------------------------------------------------------------
    Row("reconnect", CONNECTING, BACKOFF, conditions="sign_in_too_soon", before=DROP, after="wait_minimum",
        reason="The application wants a new session; the last sign-in was too recent for the next."),
    Row("reconnect", CONNECTING, SAME, before=DROP, after="begin_sign_in",
        reason="The application wants a new session."),
    Row("reconnect", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE, after="wait_minimum",
        reason="The application wants a new session; the last sign-in was too recent for the next."),
    Row("reconnect", SERVING, RECONNECTING, before=LOSE, after="begin_sign_in",
        reason="The application wants a new session."),
    Row("reconnect", BACKOFF, None, conditions="sign_in_too_soon", after="end_wait_early",
        reason="The application is in a hurry; the last sign-in was too recent for the next."),
    Row("reconnect", BACKOFF, RECONNECTING, conditions="was_online", after="begin_sign_in",
        reason="The application wants a new session, now."),
    Row("reconnect", BACKOFF, SIGNING_IN, after="begin_sign_in",
        reason="The application wants a session, now."),
    ignored("reconnect", (OFFLINE, STOPPING), "There is nothing to connect again: start it first."),

    Row("retry_now", BACKOFF, None, conditions="sign_in_too_soon", after="end_wait_early",
        reason="The application is in a hurry; the last sign-in was too recent for the next."),
    Row("retry_now", BACKOFF, RECONNECTING, conditions="was_online", after="begin_sign_in",
        reason="The application ended the wait."),
    Row("retry_now", BACKOFF, SIGNING_IN, after="begin_sign_in",
        reason="The application ended the wait."),
    ignored("retry_now", (OFFLINE, *ALIVE, STOPPING), "There is no wait to end."),
)  # fmt: skip

CHART = Chart("connection", OFFLINE, STATES, ROWS, GUARDS, ACTIONS)
