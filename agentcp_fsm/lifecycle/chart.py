"""The life of a connection: one table that decides all behaviour.

Theory of operation
===================

A connection is made in *attempts*.  An attempt is one sign-in, then a socket to the server that the sign-in named, then
heartbeats, every second, until one is answered.  That answer, and nothing else, proves the connection: ONLINE.  The
first attempts are made in SIGNING_IN, those after the connection was once ONLINE in RECONNECTING; they differ in name
only.  An attempt that fails is followed by a BACKOFF, in which no sign-in is in flight, and then by the next attempt.

In ONLINE a heartbeat leaves at every interval.  A heartbeat that is not answered within the retransmission time is
repeated, again and again, until an answer comes.  The first repetition, and the first failed send or receive, lead to
DEGRADED, where the session still stands and everything goes on; the next answer leads back.  Too many failures, too
long a silence and a 401 mean that the connection is lost: the socket is closed first, and the next attempt begins, or
waits in BACKOFF until it may.

A session that was lost by silence or by failures is *doubtful*, not dead: the server may still know it.  It is kept
aside.  In BACKOFF it is probed: a fresh socket, one heartbeat, and the same again after a while.  An answer leads to
ONLINE at once.  A 401 is the end of the session, and of the wait: the network is back, so the next sign-in is due.

A connection that is lost before ONLINE has lasted is an attempt that failed.  Backoff starts afresh only once ONLINE
has lasted.

`stop` leads from everywhere to STOPPING in one step, and from there, bounded in time, to OFFLINE.

Every state but OFFLINE has a deadline armed at all times; ``deadline_passed`` is decided in each of them.  So there is
no state to be stuck in: whatever is waited for, there is a row for when it does not come.

Reading a row: on the trigger, in any of the source states, if all guards agree, go to the destination (None: stay, this
is no transition), run ``before`` on the way out and ``after`` on the way in.  Rows are tried from top to bottom, so a
row without guards says "otherwise".  `agentcp_fsm.lifecycle.glossary` explains the words of guards and actions.  What
they do is in the modules ``guards`` and ``actions``, under the same names; none of them decides anything about states.
"""

from collections.abc import Iterable
from enum import StrEnum

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Role, Row
from agentcp_fsm.lifecycle.events import EVENTS
from agentcp_fsm.lifecycle.glossary import ACTIONS, GUARDS


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
    ChartState(BACKOFF, "Waiting to sign in again; a doubtful session is probed.",
               owns="a deadline; a doubtful session and its socket", role=Role.WAITING),
    ChartState(STOPPING, "The application wants out; the sign-out is under way.", owns="one sign-out; a deadline",
               role=Role.LEAVING),
)  # fmt: skip

CONNECTING = (SIGNING_IN, RECONNECTING)
"""An attempt is under way."""
SERVING = (ONLINE, DEGRADED)
"""The session was proven by an answer."""
ALIVE = (*CONNECTING, *SERVING)
"""There is a sign-in in flight or a session."""
SOCKETED = (*ALIVE, BACKOFF)
"""There may be a socket."""
SOCKETLESS = (OFFLINE, STOPPING)
"""There is none."""

DROP = ("drop_attempt", "forget_session")
"""What comes before anything else when a new attempt is to follow, and the session is of no use (rule 5)."""
END = ("drop_attempt", "note_failed_attempt")
"""The attempt has failed."""
FAIL = ("drop_attempt", "doubt_session", "note_failed_attempt", "plan_probe")
"""The same, with a session in hand, which may still be good."""
LOSE = ("drop_attempt", "doubt_session", "note_loss", "note_early_loss", "end_refusals")
"""The connection, proven before, is lost; its session may still be good."""
LOSE_REFUSED = (*DROP, "note_loss", "note_early_loss", "note_refusal")
"""The connection is lost by a 401: the session is none any longer."""
LEAVE = ("report_giving_up", "sign_out")
"""What follows on the last attempt allowed."""


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


def attempt_failed(trigger: str, what: str, first: tuple[str, ...] = ()) -> Iterable[Row]:
    """The rows of an attempt that fails with a session in hand; the actions of `first` come before the others."""
    return (
        Row(trigger, CONNECTING, STOPPING, conditions="attempts_exhausted", before=(*first, *END), after=LEAVE,
            reason=f"{what}, and it was the last attempt allowed."),
        Row(trigger, CONNECTING, BACKOFF, before=(*first, *FAIL), after="back_off",
            reason=f"{what}; the attempt is over."),
    )  # fmt: skip


def lost(trigger: str, what: str, conditions: tuple[str, ...] = (), first: tuple[str, ...] = ()) -> Iterable[Row]:
    """The rows of a proven connection that is lost by anything but a 401 or the application's wish."""
    return (
        Row(trigger, SERVING, STOPPING, conditions=(*conditions, "attempts_exhausted"), unless="online_lasted",
            before=(*first, "drop_attempt", "note_loss", "note_early_loss"), after=LEAVE,
            reason=f"{what} before ONLINE had lasted, and it was the last attempt allowed."),
        Row(trigger, SERVING, BACKOFF, conditions=(*conditions, "flapping"),
            before=(*first, *LOSE, "plan_probe"), after="back_off",
            reason=f"{what} before ONLINE had lasted, as the attempt before had failed."),
        Row(trigger, SERVING, BACKOFF, conditions=(*conditions, "sign_in_too_soon"),
            before=(*first, *LOSE, "plan_probe"), after="wait_minimum",
            reason=f"{what}: the connection is lost; the last sign-in was too recent for the next."),
        Row(trigger, SERVING, RECONNECTING, conditions=conditions, before=(*first, *LOSE), after="begin_sign_in",
            reason=f"{what}: the connection is lost."),
    )  # fmt: skip


OTHERS_SOCKET = "An earlier attempt's or probe's socket."

ROWS = (
    # start, stop ------------------------------------------------------------------------------------------------------
    Row("start", OFFLINE, SIGNING_IN, after=("begin_anew", "begin_sign_in"),
        reason="The application wants to be reachable."),
    Row("start", STOPPING, None, unless="restart_wanted", after="want_restart",
        reason="Leaving comes first; the start is kept for afterwards."),
    ignored("start", (STOPPING, *ALIVE, BACKOFF), "It is started already."),

    Row("stop", ALIVE, STOPPING, before="drop_attempt", after="sign_out",
        reason="The application wants out: the socket is closed, a sign-in in flight abandoned."),
    Row("stop", BACKOFF, STOPPING, before="close_probe", after="sign_out",
        reason="The application wants out; no call is in flight."),
    Row("stop", STOPPING, None, conditions="restart_wanted", after="cancel_restart",
        reason="The application changed its mind about starting again."),
    ignored("stop", (OFFLINE, STOPPING), "It is stopped already."),

    # signing in -------------------------------------------------------------------------------------------------------
    ignored("signed_in", CONNECTING, "The result of a sign-in that nobody waits for.",
            unless="sign_in_awaited", after="count_stale"),
    Row("signed_in", CONNECTING, None, after="take_session",
        reason="The session names the server: the socket comes next."),
    ignored("signed_in", (BACKOFF,), "The result of a sign-in that nobody waits for.",
            unless="late_sign_in_awaited", after="count_stale"),
    Row("signed_in", BACKOFF, RECONNECTING, conditions="was_online", before="close_probe", after="take_late_session",
        reason="The sign-in that took too long succeeded after all, and none was begun since."),
    Row("signed_in", BACKOFF, SIGNING_IN, before="close_probe", after="take_late_session",
        reason="The first sign-in to succeed took too long, and none was begun since."),
    Row("signed_in", (STOPPING, OFFLINE), None, after="sign_out_late",
        reason="An abandoned sign-in succeeded after all: its session is signed out."),
    ignored("signed_in", SERVING, "The result of a sign-in that nobody waits for.", after="count_stale"),

    ignored("sign_in_failed", CONNECTING, "The result of a sign-in that nobody waits for.",
            unless="sign_in_awaited", after="count_stale"),
    Row("sign_in_failed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=END, after=LEAVE,
        reason="The sign-in failed, and it was the last attempt allowed."),
    Row("sign_in_failed", CONNECTING, BACKOFF, conditions="rejected", before=(*END, "plan_probe"),
        after=("report_error", "heed_retry_after", "back_off_rejected"),
        reason="The server rejected the sign-in; retrying soon cannot mend that."),
    Row("sign_in_failed", CONNECTING, BACKOFF, before=(*END, "plan_probe"), after=("heed_retry_after", "back_off"),
        reason="The sign-in failed; it is tried again."),
    ignored("sign_in_failed", (*SERVING, BACKOFF, *SOCKETLESS), "The result of a sign-in that nobody waits for.",
            after="count_stale"),

    # the socket -------------------------------------------------------------------------------------------------------
    ignored("socket_opened", (*CONNECTING, BACKOFF), "A socket that nobody waits for.",
            unless="socket_awaited", after="count_stale"),
    Row("socket_opened", CONNECTING, None, after="prove_session",
        reason="The first heartbeat leaves at once."),
    Row("socket_opened", BACKOFF, None, after="send_probe",
        reason="The doubtful session is probed."),
    ignored("socket_opened", (*SERVING, *SOCKETLESS), "A socket that nobody waits for.", after="count_stale"),

    ignored("socket_failed", SOCKETED, OTHERS_SOCKET, unless="socket_in_hand", after="count_stale"),
    *attempt_failed("socket_failed", "The socket failed"),
    *lost("socket_failed", "The socket failed"),
    Row("socket_failed", BACKOFF, None, after="close_probe",
        reason="The probe's socket failed: the next probe has another."),
    ignored("socket_failed", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    # sending ----------------------------------------------------------------------------------------------------------
    ignored("beat_sent", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("beat_sent", SOCKETED, None, after="note_sent",
        reason="Sending works; only an answer proves the connection."),
    ignored("beat_sent", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    ignored("send_failed", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("send_failed", (*CONNECTING, DEGRADED), None, conditions="send_failed_just_now", after="count_send_failure",
        reason="Failures in the same instant are one."),
    Row("send_failed", CONNECTING, None, unless="send_failures_exhausted", after=("note_send_failure", "retry_proof"),
        reason="A send failed; it is tried again soon."),
    Row("send_failed", ONLINE, DEGRADED, unless="send_failures_exhausted", before="note_degraded",
        after=("note_send_failure", "retry_heartbeat"),
        reason="A send failed; it is tried again soon."),
    Row("send_failed", DEGRADED, None, unless="send_failures_exhausted",
        after=("note_send_failure", "retry_heartbeat"),
        reason="A send failed again; it is tried again soon."),
    *attempt_failed("send_failed", "Sending fails", ("count_send_failure",)),
    *lost("send_failed", "Sending fails", first=("count_send_failure",)),
    Row("send_failed", BACKOFF, None, after="count_send_failure",
        reason="A probe could not be sent: there will be another."),
    ignored("send_failed", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    # receiving --------------------------------------------------------------------------------------------------------
    ignored("receive_failed", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("receive_failed", (*CONNECTING, DEGRADED), None, conditions="receive_failed_just_now",
        after="count_receive_failure",
        reason="Failures in the same instant are one."),
    Row("receive_failed", (*CONNECTING, DEGRADED), None, unless="receive_failures_exhausted",
        after="note_receive_failure",
        reason="A receive failed; the next may not."),
    Row("receive_failed", ONLINE, DEGRADED, unless="receive_failures_exhausted", before="note_degraded",
        after="note_receive_failure",
        reason="A receive failed; the next may not."),
    *attempt_failed("receive_failed", "Receiving fails", ("count_receive_failure",)),
    *lost("receive_failed", "Receiving fails", first=("count_receive_failure",)),
    Row("receive_failed", BACKOFF, None, after="count_receive_failure",
        reason="A probe's answer could not be received: there will be another probe."),
    ignored("receive_failed", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    ignored("beat_answered", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("beat_answered", CONNECTING, ONLINE, after=("note_answer", "come_online", "confirm_session"),
        reason="The server answered a heartbeat: the connection is proven."),
    Row("beat_answered", ONLINE, None, after="note_answer",
        reason="All is well."),
    Row("beat_answered", DEGRADED, ONLINE, after="note_answer",
        reason="The server answered again."),
    Row("beat_answered", BACKOFF, ONLINE, before="recall_session",
        after=("note_answer", "come_online", "confirm_session"),
        reason="The server answered a probe: it still knows the session."),
    ignored("beat_answered", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    ignored("unauthorized", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("unauthorized", CONNECTING, STOPPING, conditions="attempts_exhausted",
        before=(*DROP, "note_failed_attempt"), after=LEAVE,
        reason="The server refused the new session, and it was the last attempt allowed."),
    Row("unauthorized", CONNECTING, BACKOFF, before=(*DROP, "note_failed_attempt"), after=("back_off", "spread"),
        reason="The server refused the new session; the attempt is over."),
    Row("unauthorized", SERVING, STOPPING, conditions="attempts_exhausted", unless="online_lasted",
        before=(*DROP, "note_loss", "note_early_loss"), after=LEAVE,
        reason="The server forgot the session before ONLINE had lasted, and it was the last attempt allowed."),
    Row("unauthorized", SERVING, BACKOFF, conditions="refused_again", before=LOSE_REFUSED,
        after=("report_refusals", "back_off_refused", "spread"),
        reason="The server forgets each session soon."),
    Row("unauthorized", SERVING, BACKOFF, conditions="flapping", before=LOSE_REFUSED, after=("back_off", "spread"),
        reason="The server forgot the session before ONLINE had lasted, as the attempt before had failed."),
    Row("unauthorized", SERVING, BACKOFF, conditions="spread_configured", before=LOSE_REFUSED,
        after=("wait_minimum", "spread"),
        reason="The server forgot the session, perhaps everybody's: sign-ins are spread in time."),
    Row("unauthorized", SERVING, BACKOFF, conditions="sign_in_too_soon", before=LOSE_REFUSED, after="wait_minimum",
        reason="The server forgot the session; the last sign-in was too recent for the next."),
    Row("unauthorized", SERVING, RECONNECTING, before=LOSE_REFUSED, after="begin_sign_in",
        reason="The server forgot the session."),
    Row("unauthorized", BACKOFF, None, before=("close_probe", "forget_session"),
        after=("wait_minimum", "spread", "plan_probe"),
        reason="The network is back, and the server forgot the session: the sign-in follows as soon as it may."),
    ignored("unauthorized", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    ignored("invited", SOCKETED, OTHERS_SOCKET, unless="socket_in_use", after="count_stale"),
    Row("invited", SOCKETED, None, conditions="invitation_known", after=("answer_invitation", "count_duplicate"),
        reason="The server repeats an invitation: answered again, delivered once."),
    Row("invited", SOCKETED, None, after=("answer_invitation", "deliver_invitation"),
        reason="Answered at once, whatever the application does with it."),
    ignored("invited", SOCKETLESS, OTHERS_SOCKET, after="count_stale"),

    ignored("malformed", (EVERY,), "Noise is no failure.", after="count_malformed"),

    # time -------------------------------------------------------------------------------------------------------------
    ignored("deadline_passed", (*SOCKETED, STOPPING), "Woken early: nothing is due.",
            unless="deadline_reached"),
    Row("deadline_passed", CONNECTING, None, unless="timed_out", after="prove_again",
        reason="No answer yet: the heartbeat is repeated."),
    Row("deadline_passed", CONNECTING, STOPPING, conditions="attempts_exhausted", before=END, after=LEAVE,
        reason="No answer in time, and it was the last attempt allowed."),
    Row("deadline_passed", CONNECTING, BACKOFF, conditions="proof_begun", before=(*FAIL, "allow_more_time"),
        after="back_off",
        reason="The session's server answers no heartbeat; the attempt is over, and the next has more time."),
    Row("deadline_passed", CONNECTING, BACKOFF, conditions="session_in_hand", before=FAIL, after="back_off",
        reason="The socket takes too long to open; the attempt is over."),
    Row("deadline_passed", CONNECTING, BACKOFF, before=(*END, "plan_probe", "expect_late_sign_in"),
        after="back_off",
        reason="The sign-in takes too long; the attempt is over."),
    Row("deadline_passed", SERVING, None, conditions="beat_was_answered", after="send_heartbeat",
        reason="The next heartbeat is due."),
    *lost("deadline_passed", "The server is silent", ("silent",)),
    Row("deadline_passed", ONLINE, DEGRADED, before="note_degraded", after="repeat_heartbeat",
        reason="A heartbeat went unanswered for the retransmission time: it is repeated."),
    Row("deadline_passed", DEGRADED, None, after="repeat_heartbeat",
        reason="Still no answer: the heartbeat is repeated."),
    Row("deadline_passed", BACKOFF, None, unless="timed_out", before="close_probe", after="open_probe",
        reason="The doubtful session is probed on a fresh socket."),
    Row("deadline_passed", BACKOFF, RECONNECTING, conditions="was_online", before="close_probe", after="begin_sign_in",
        reason="The wait is over."),
    Row("deadline_passed", BACKOFF, SIGNING_IN, before="close_probe", after="begin_sign_in",
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
    ignored("signed_out", (*SOCKETED, OFFLINE), "An earlier life's sign-out.", after="count_stale"),

    # the application's hurry ------------------------------------------------------------------------------------------
    Row("reconnect", CONNECTING, BACKOFF, conditions="sign_in_too_soon", before=DROP, after="wait_minimum",
        reason="The application wants a new session; the last sign-in was too recent for the next."),
    Row("reconnect", CONNECTING, SAME, before=DROP, after="begin_sign_in",
        reason="The application wants a new session."),
    Row("reconnect", SERVING, BACKOFF, conditions="sign_in_too_soon", before=(*DROP, "note_loss"),
        after="wait_minimum",
        reason="The application wants a new session; the last sign-in was too recent for the next."),
    Row("reconnect", SERVING, RECONNECTING, before=(*DROP, "note_loss"), after="begin_sign_in",
        reason="The application wants a new session."),
    Row("reconnect", BACKOFF, None, conditions="sign_in_too_soon", before=("close_probe", "forget_session"),
        after=("forgo_late_sign_in", "end_wait_early", "plan_probe"),
        reason="The application is in a hurry; the last sign-in was too recent for the next."),
    Row("reconnect", BACKOFF, RECONNECTING, conditions="was_online", before=("close_probe", "forget_session"),
        after="begin_sign_in",
        reason="The application wants a new session, now."),
    Row("reconnect", BACKOFF, SIGNING_IN, before=("close_probe", "forget_session"), after="begin_sign_in",
        reason="The application wants a session, now."),
    ignored("reconnect", (OFFLINE, STOPPING), "There is nothing to connect again: start it first."),

    Row("retry_now", BACKOFF, None, conditions="sign_in_too_soon", after="end_wait_early",
        reason="The application is in a hurry; the last sign-in was too recent for the next."),
    Row("retry_now", BACKOFF, RECONNECTING, conditions="was_online", before="close_probe", after="begin_sign_in",
        reason="The application ended the wait."),
    Row("retry_now", BACKOFF, SIGNING_IN, before="close_probe", after="begin_sign_in",
        reason="The application ended the wait."),
    ignored("retry_now", (OFFLINE, *ALIVE, STOPPING), "There is no wait to end."),
)  # fmt: skip

CHART = Chart("connection", OFFLINE, STATES, ROWS, GUARDS, ACTIONS, events=EVENTS)
