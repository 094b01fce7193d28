"""The default timings, scaled down for tests that wait in real time."""

from dataclasses import replace

from agentcp_fsm import Config

SCALED = Config(
    interval_min=0.1,
    interval_max=30.0,
    probe_interval=0.1,
    send_retry_initial=0.05,
    sign_in_interval_min=0.2,
    sign_in_timeout=2.0,
    socket_timeout=1.0,
    backoff_initial=0.05,
    backoff_max=0.5,
    unauthorized_spread=0.05,
    sign_out_timeout=1.0,
    connect_timeout=1.0,
    read_timeout=1.0,
)
"""The specification's timings, about thirty times as fast."""

CALM = replace(
    SCALED, silence_limit=100, probe_limit=100, sign_in_timeout=25.0, socket_timeout=20.0, connect_timeout=20.0,
    read_timeout=20.0,
)  # fmt: skip
"""The same, but patient with a server that answers late, as it does on a machine that is busy with something else."""

WATCHFUL = replace(CALM, silence_limit=6, probe_limit=6, backoff_jitter=0.0)
"""The same, but notices soon that a server is silent, and waits without chance: as long as the rules have it wait."""
