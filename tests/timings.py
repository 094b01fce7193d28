"""The default timings, scaled down for tests that wait in real time."""

from dataclasses import fields, replace
from typing import Any

from agentcp_fsm import Config

LEAST = {
    "probe_interval": 0.05,
    "sign_in_timeout": 2.0,
    "socket_timeout": 1.0,
    "sign_out_timeout": 1.0,
    "connect_timeout": 1.0,
    "read_timeout": 1.0,
}
"""Seconds that are left for an answer, however small the factor: a busy machine gives it late."""
LONGEST_BEAT = 30.0
"""The longest heartbeat interval.  It is not scaled, because some servers of the tests ask for quiet."""


def scaled(factor: float, **changes: Any) -> Config:
    """The default timings, each multiplied by `factor`, except `changes`, `LEAST` and `LONGEST_BEAT`."""
    default = Config()
    times = {
        item.name: max(getattr(default, item.name) * factor, LEAST.get(item.name, 0.001))
        for item in fields(Config)
        if item.metadata.get("unit") == "seconds"
    }
    return Config(**{**times, "interval_max": LONGEST_BEAT, **changes})


SCALED = scaled(1 / 50, probe_interval=0.1, sign_in_interval_min=0.2, backoff_max=0.5)
"""Fifty times as fast as in the field; sign-ins are far enough apart to be told from each other."""

CALM = replace(
    SCALED, silence_limit=100, silence_timeout=25.0,
    probe_limit=100, sign_in_timeout=25.0, socket_timeout=20.0, connect_timeout=20.0,
    read_timeout=20.0,
)  # fmt: skip
"""The same, but patient with a server that answers late, as it does on a machine that is busy with something else."""

WATCHFUL = replace(CALM, silence_limit=6, probe_limit=6, backoff_jitter=0.0)
"""The same, but notices soon that a server is silent, and waits without chance: as long as the rules have it wait."""
