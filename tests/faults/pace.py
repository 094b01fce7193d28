"""The pace that the rules set: how soon a sign-in may follow another (lifecycle, rules 5 to 7).

It is computed from the transitions of a connection, which anybody can see, and from its configuration, without asking
the machine.  `tests.faults.test_pace` compares it with the machine at its fastest: if it were looser than the machine,
or stricter, that would show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agentcp_fsm import Config, ReportTransition, State

CONNECTING = (State.SIGNING_IN, State.RECONNECTING)
AT_REST = (State.OFFLINE, State.STOPPING)
HURRIED = ("reconnect", "retry_now")
"""What an application asks for that cannot wait."""


@dataclass(slots=True)
class Attempt:
    """One sign-in, and what came of the session."""

    at: float
    """When it began."""
    earliest: float
    """When it might have, by the rules; minus infinity after a start."""
    after_start: bool = False
    """Whether the application had it begun."""
    failed: bool = False
    """Whether it came to nothing: no heartbeat of its session was answered."""


def attempts(
    life: Iterable[ReportTransition], config: Config, rest: float = 0.0, refused: bool = False
) -> list[Attempt]:
    """All attempts of a life, or of several.

    `rest` is how long the server asked for after each failed attempt, in seconds: its Retry-After, or by a rejection
    the cap of the backoff.  `refused` says that the server may have answered a probe with a 401, which nobody sees
    in a transition: it ends the wait of a doubtful session (rule 5).
    """
    found: list[Attempt] = []
    failures = refusals = 0
    """Failed attempts since ONLINE last lasted, and losses in a row by a 401 that came soon (rule 6)."""
    online_since = degraded_at = earliest = float("-inf")
    doubtful = False
    for step in life:
        source, dest, now = step.source, step.dest, step.at
        held, failed = 0.0, False
        if source in CONNECTING and dest not in (State.ONLINE, *CONNECTING) and step.trigger not in ("stop", *HURRIED):
            found[-1].failed = failed = True
            held = rest
            failures += 1
        elif step.lost and step.trigger not in HURRIED:
            # Of a DEGRADED connection nobody outside knows the last answer: it may have lasted until then.
            until = now if source == State.ONLINE else degraded_at
            soon = step.trigger == "unauthorized" and until - online_since < config.flapping_span
            refusals = refusals + 1 if soon else 0
            if until - online_since >= config.stable_after:
                failures = 0
            else:
                failed = failures > 0
                failures += 1
            if soon and refusals >= config.flapping_limit:
                held, failed = config.flapping_wait, True
        if step.lost:
            doubtful = step.trigger not in ("unauthorized", *HURRIED)
        if dest == State.ONLINE and source != State.DEGRADED:
            online_since = now
        elif dest == State.DEGRADED:
            degraded_at = now
        elif dest == State.BACKOFF:
            earliest = max(now + held, found[-1].at + config.sign_in_interval_min)
            if refused and doubtful:
                earliest = found[-1].at + config.sign_in_interval_min
            elif failed:
                earliest += (1 - config.backoff_jitter) * _window(failures, earliest - now, config)
        elif dest in CONNECTING and step.trigger != "signed_in":  # a late session is taken without a new sign-in
            if source in AT_REST:
                failures = refusals = 0
                found.append(Attempt(now, float("-inf"), after_start=True))
            elif source == State.BACKOFF and step.trigger not in HURRIED:
                found.append(Attempt(now, earliest))
            else:
                found.append(Attempt(now, found[-1].at + config.sign_in_interval_min))
    return found


def _window(failures: int, waiting: float, config: Config) -> float:
    """The span, before jitter, of which a part is waited once `waiting` is over, after so many failures in a row.

    A wait after a 401 that came soon after another is a first one, if the connections had lasted.  The cap is that of
    the sum; but where the rules have one wait for more than half of it, a span as long remains.
    """
    doubled = min(config.backoff_initial * 2.0 ** min(max(failures, 1) - 1, 1000), config.backoff_max)
    return min(doubled, max(config.backoff_max - waiting, waiting))


def haste(found: Iterable[Attempt]) -> float:
    """Seconds by which a sign-in came too early, at the most; minus infinity if none follows another."""
    return max((each.earliest - each.at for each in found), default=float("-inf"))
