"""The seeded defects, kind by kind."""

from __future__ import annotations

from agentcp_fsm.lifecycle.machine import Lifecycle
from agentcp_fsm.lifecycle.variables import NEVER
from tests.verification import seeded
from tests.verification.seeded import (
    ANXIOUS,
    BASIC,
    CARRIED,
    CUT,
    LIMITED,
    REPORTED,
    RESET,
    Defect,
    Forgetful,
    acting,
    acting_less,
    also,
    ignoring,
    keeping,
    setting,
    without_row,
)

DEFECTS = (
    # What belongs to an earlier life or attempt
    Defect(CARRIED, "failed attempts survive a start", keeping("begin_anew", "failures")),
    Defect(CARRIED, "401s in a row survive a start", keeping("begin_anew", "refusals")),
    Defect(
        CARRIED,
        "the longer time to answer survives a start",
        keeping("begin_anew", "silent_attempts"),
        {"probe_time_max": 30.0},
    ),
    Defect(
        CARRIED,
        "the interval survives a start",
        keeping("begin_anew", "interval", "retransmission_max"),
        {"interval_max": 30.0},
    ),
    Defect(
        CARRIED,
        "the least time between sign-ins and a Retry-After survive a start",
        acting(begin_sign_in=seeded.least_time_survives),
    ),
    Defect(CARRIED, "delivered invitations survive a start", keeping("begin_anew", "_invitations")),
    Defect(CARRIED, "a wish to start again survives its start", keeping("begin_anew", "restart_wanted")),
    Defect(CARRIED, "round trips survive a start", keeping("begin_anew", "round_trip")),
    Defect(CARRIED, "the retransmission time survives a start", keeping("begin_anew", "retransmission")),
    Defect(CARRIED, "unanswered heartbeats survive an attempt", seeded.close_socket("unanswered")),
    Defect(CARRIED, "failed sends survive an attempt", seeded.close_socket("send_failures")),
    Defect(CARRIED, "failed receives survive an attempt", seeded.close_socket("receive_failures")),
    Defect(CARRIED, "the count of probes survives a doubtful session", keeping("doubt_session", "probes")),
    Defect(
        CARRIED,
        "the longer time to answer survives ONLINE",
        keeping("come_online", "silent_attempts"),
        {"probe_time_max": 30.0},
    ),
    Defect(
        CARRIED,
        "a sign-in that took too long is expected in the next attempt",
        keeping("begin_sign_in", "late_sign_in"),
    ),
    Defect(CARRIED, "a doubtful session survives a new one", keeping("take_session", "doubtful")),
    # What no such event may clear
    Defect(RESET, "a sent heartbeat clears failed receives", setting("note_sent", receive_failures=0)),
    Defect(RESET, "a sent heartbeat clears unanswered ones", setting("note_sent", unanswered=1)),
    Defect(RESET, "an invitation clears failed sends", setting("answer_invitation", send_failures=0)),
    Defect(RESET, "an invitation clears unanswered heartbeats", setting("answer_invitation", unanswered=0)),
    Defect(
        RESET,
        "an invitation counts as an answer",
        also("answer_invitation", lambda self, event, now: setattr(self, "answered_at", now)),
        {"silence_limit": 1},
    ),
    Defect(RESET, "a failed send clears failed receives", setting("note_send_failure", receive_failures=0)),
    Defect(RESET, "a failed receive clears failed sends", setting("note_receive_failure", send_failures=0)),
    Defect(RESET, "noise clears failed receives", setting("count_malformed", receive_failures=0)),
    Defect(RESET, "a stale event clears failed sends", setting("count_stale", send_failures=0)),
    Defect(RESET, "retry_now clears failed attempts", setting("end_wait_early", failures=0)),
    Defect(RESET, "ONLINE clears failed attempts at once", setting("come_online", failures=0)),
    Defect(
        RESET,
        "DEGRADED restarts the time of ONLINE",
        also("note_degraded", lambda self, event, now: setattr(self, "online_since", now)),
    ),
    Defect(
        RESET,
        "a repetition puts off silence",
        also("repeat_heartbeat", lambda self, event, now: setattr(self, "timeout_at", now + 15.0)),
        breaks="L3",
    ),
    Defect(RESET, "a failed sign-in clears a doubtful session", setting("note_failed_attempt", doubtful=None)),
    # What holds in every state but one
    Defect(CUT, "no grace after a suspension, once degraded", acting(silent_at=seeded.without_grace)),
    Defect(CUT, "a late success is signed out in STOPPING only", ignoring("signed_in", "OFFLINE")),
    Defect(CUT, "a start while STOPPING is forgotten", ignoring("start", "STOPPING", ignored=False)),
    Defect(CUT, "a stop while STOPPING takes no start back", ignoring("stop", "STOPPING", ignored=False)),
    Defect(
        CUT,
        "reconnect in BACKOFF knows no Retry-After",
        acting(sign_in_too_soon=seeded.too_soon_forgets("BACKOFF", "reconnect")),
    ),
    Defect(
        CUT, "retry_now knows no Retry-After", acting(sign_in_too_soon=seeded.too_soon_forgets("BACKOFF", "retry_now"))
    ),
    Defect(
        CUT,
        "reconnect in DEGRADED knows no least time",
        acting(sign_in_too_soon=seeded.too_soon_forgets("DEGRADED", "reconnect")),
        breaks="S7",
    ),
    Defect(CUT, "a probe's socket stays open at a stop", acting_less("stop", "BACKOFF", "close_probe"), breaks="S1"),
    Defect(
        CUT,
        "a late sign-in leads to SIGNING_IN, even after ONLINE",
        without_row("signed_in", "BACKOFF", conditions=("was_online",)),
    ),
    Defect(CUT, "a 401 to a probe is ignored", ignoring("unauthorized", "BACKOFF", ignored=False)),
    Defect(
        CUT, "an invitation in BACKOFF is not answered", ignoring("invited", "BACKOFF", ignored=False, conditions=())
    ),
    Defect(
        CUT,
        "a repeated invitation is delivered again in DEGRADED",
        acting(invitation_known=seeded.known_unless_degraded),
    ),
    Defect(
        CUT,
        "one failure of an instant counts twice in DEGRADED",
        without_row("send_failed", "DEGRADED", conditions=("send_failed_just_now",)),
    ),
    Defect(
        CUT,
        "a start that was kept is forgotten if the sign-out fails in time",
        without_row("deadline_passed", "STOPPING", conditions=("restart_wanted",)),
    ),
    Defect(CUT, "ONLINE that lasted is an early loss, once degraded", acting(online_lasted=seeded.lasts_online_only)),
    # What only people and programs read
    Defect(REPORTED, "the last loss is none by a 401", acting(handle=seeded.lost_only_in_words)),
    Defect(REPORTED, "only the first failure is kept", acting(handle=seeded.first_failure_only)),
    Defect(
        REPORTED, "giving up counts one attempt less", acting(report_giving_up=seeded.wrong_number_of_attempts), LIMITED
    ),
    Defect(REPORTED, "giving up has no cause", acting(report_giving_up=seeded.wrong_cause), LIMITED),
    Defect(REPORTED, "a wait does not say when the next try is", acting(_detail=seeded.no_next_try)),
    Defect(REPORTED, "reconnect counts no loss", acting_less("reconnect", "DEGRADED", "note_loss")),
    Defect(REPORTED, "a rejection is not reported", acting_less("sign_in_failed", "RECONNECTING", "report_error")),
    Defect(
        REPORTED, "a failed send of a probe is not counted", acting_less("send_failed", "BACKOFF", "count_send_failure")
    ),
    Defect(REPORTED, "a repeated invitation is not counted", acting(count_duplicate=lambda self, event, now: None)),
    Defect(REPORTED, "the second 401 is not reported", acting(report_refusals=lambda self, event, now: None)),
    Defect(REPORTED, "noise counts as stale", acting(count_malformed=Lifecycle.count_stale)),
    # What each invariant is there for
    Defect(
        BASIC,
        "a sign-in in flight is not abandoned at a stop",
        acting_less("stop", "SIGNING_IN", "drop_attempt"),
        breaks="S2",
    ),
    Defect(
        BASIC,
        "a probe's socket is opened beside the old one",
        acting_less("deadline_passed", "BACKOFF", "close_probe", dest=None),
        breaks="S3",
    ),
    Defect(BASIC, "heartbeats carry another cookie", acting(_send_heartbeat=seeded.heartbeat_of_another), breaks="S4"),
    Defect(
        BASIC, "one more failed send is tolerated", acting(send_failures_exhausted=seeded.sends_for_ever), breaks="S5"
    ),
    Defect(BASIC, "a wait has no end", setting("back_off", timeout_at=NEVER), breaks="S6"),
    Defect(
        BASIC,
        "a backoff is too short",
        also("back_off", lambda self, event, now: setattr(self, "timeout_at", now + 0.1)),
        breaks="S8",
    ),
    Defect(BASIC, "a stop in BACKOFF is ignored", ignoring("stop", "BACKOFF", ignored=False), breaks="S9"),
    Defect(BASIC, "the deadline of a heartbeat is not moved", also("note_answer", seeded.beat_far_away), breaks="S10"),
    Defect(BASIC, "a wait lasts for a day", also("back_off", seeded.wait_a_day), breaks="L1"),
    Defect(BASIC, "a sign-out has far too much time", acting(sign_out=seeded.stopped_is_nothing), breaks="L2"),
    Defect(BASIC, "something is remembered outside the snapshot", Forgetful, breaks="snapshot"),
    Defect(BASIC, "an invitation raises", acting(deliver_invitation=seeded.raises), breaks="raises"),
    Defect(
        BASIC,
        "with no spread, a 401 is followed by no wait",
        without_row("unauthorized", "ONLINE", conditions=("sign_in_too_soon",)),
        ANXIOUS,
    ),
)
