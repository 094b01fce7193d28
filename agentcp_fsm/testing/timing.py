"""Timings with which a test of an agent takes seconds, and a busy machine still answers in time."""

from __future__ import annotations

from agentcp_fsm.lifecycle.config import Config

FAST = Config(
    interval_min=0.1,
    interval_max=5.0,
    probe_interval=0.2,
    probe_limit=20,
    retransmission_min=0.2,
    send_retry_initial=0.1,
    send_retry_max=0.5,
    silence_limit=10,
    sign_in_interval_min=0.2,
    sign_in_timeout=10.0,
    stable_after=0.5,
    flapping_span=0.0,
    backoff_initial=0.1,
    backoff_max=0.5,
    unauthorized_spread=0.1,
)
"""Silence is noticed after a second or so, and a sign-in is repeated after half a second at most.  Answers may take as
long as in the field."""
