"""The configurations of ``agentcp-fsm verify --matrix``: the usual one, and each setting at a value that matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentcp_fsm.fsm.chart import Row
from agentcp_fsm.lifecycle.chart import CHART
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.glossary import GUARDS
from agentcp_fsm.verification.explorer import Result

BRISK: dict[str, Any] = {
    "interval_max": 5.0, "probe_limit": 1, "probe_time_max": 1.0, "send_failure_limit": 2, "receive_failure_limit": 2,
    "backoff_max": 5.0, "connect_timeout_max": 2.0, "flapping_limit": 2, "retransmission_spread": 0.0,
}  # fmt: skip
"""Settings whose counts are small and whose waits do not double far, so that there are fewer situations."""

SETTINGS: Mapping[str, dict[str, Any]] = {
    "default": {},
    "brisk": BRISK,
    "one attempt": BRISK | {"sign_in_attempt_limit": 1},
    "two attempts": BRISK | {"sign_in_attempt_limit": 2},
    "one failure": BRISK | {"send_failure_limit": 1, "receive_failure_limit": 1},
    "one failure, three attempts": BRISK
    | {"send_failure_limit": 1, "receive_failure_limit": 1, "sign_in_attempt_limit": 3},
    "no spread after a 401": BRISK | {"unauthorized_spread": 0.0},
    "no least time between sign-ins": BRISK | {"sign_in_interval_min": 0.0, "unauthorized_spread": 0.0},
    "a long time between sign-ins": BRISK | {"sign_in_interval_min": 30.0, "backoff_max": 30.0},
    "stable at once": BRISK | {"stable_after": 0.0},
    "no flapping": BRISK | {"flapping_span": 0.0},
    "one refusal": BRISK | {"flapping_limit": 1},
    "silence within an interval": BRISK | {"silence_limit": 1, "silence_timeout": 2.0},
    "long intervals": BRISK | {"interval_min": 30.0, "interval_max": 300.0, "silence_timeout": 60.0},
    "no jitter": BRISK | {"backoff_jitter": 0.0},
    "all jitter": BRISK | {"backoff_jitter": 1.0, "retransmission_spread": 1.0},
    "every invitation": BRISK | {"invitation_window": 0.0},
    "one remembered invitation": BRISK | {"invitation_memory": 1},
    "failures in the same instant only": BRISK | {"failure_instant": 0.0},
    "short Retry-After": BRISK | {"retry_after_max": 2.0},
    "patient probes": BRISK | {"probe_limit": 3, "probe_time_max": 30.0},
}

MATRIX: Mapping[str, Config] = {name: Config(**settings) for name, settings in SETTINGS.items()}


def rows_never_taken(results: Iterable[Result]) -> tuple[Row, ...]:
    """The rows of the chart that no exploration took in any state."""
    taken = {row for result in results for row, _ in result.rows}
    return tuple(row for row in CHART.rows if str(row) not in taken)


def answers_never_seen(results: Iterable[Result]) -> tuple[tuple[str, bool], ...]:
    """The guards, with the answers that no exploration saw them give."""
    seen = {answer for result in results for answer in result.answers}
    return tuple((name, answer) for name in GUARDS for answer in (True, False) if (name, answer) not in seen)


def impossible(config: Config) -> Iterator[tuple[str, bool]]:
    """The answers that guards cannot give under a configuration."""
    if config.sign_in_attempt_limit is None:
        yield "attempts_exhausted", True
    yield "spread_configured", config.unauthorized_spread <= 0


def is_possible(row: Row, config: Config) -> bool:
    """Whether the row can be taken: no guard of its own, nor of an earlier row without others, forbids it."""
    never = set(impossible(config))
    if any((name, True) in never for name in row.conditions) or any((name, False) in never for name in row.unless):
        return False
    for source in CHART.sources(row):
        cell = CHART.cell(source, row.trigger)
        earlier = cell[: cell.index(row)]
        if not any(len(other.guards) == 1 and _is_certain(other, never) for other in earlier):
            return True
    return False


def _is_certain(row: Row, never: set[tuple[str, bool]]) -> bool:
    return all((name, False) in never for name in row.conditions) and all((name, True) in never for name in row.unless)
