"""What is measured of any number of connections, whoever asks for it: the metrics by name, and their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal
from weakref import WeakSet

from agentcp_fsm.connection import AsyncConnection, Connection, Health
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.operations.meter import BOUNDS, Histogram, Meter
from agentcp_fsm.support import clock

Kind = Literal["counter", "gauge", "largest"]

FAMILIES: dict[str, tuple[Kind, str, tuple[str, ...]]] = {
    "agentcp_agents": ("gauge", "Agents by the state of their connection.", ("state",)),
    "agentcp_reachable_agents": ("gauge", "Agents that are reachable: ONLINE or DEGRADED.", ()),
    "agentcp_transitions": ("counter", "Transitions, by the event that caused them.", ("source", "dest", "trigger")),
    "agentcp_state_seconds": ("counter", "Time spent in each state.", ("state",)),
    "agentcp_heartbeats_sent": ("counter", "Heartbeats handed to the network, repeated ones included.", ()),
    "agentcp_heartbeats_answered": ("counter", "Answers to heartbeats.", ()),
    "agentcp_heartbeats_missed": ("counter", "Heartbeats without an answer before the next one.", ()),
    "agentcp_sign_ins": (
        "counter",
        "Sign-ins by outcome: succeeded, failed, rejected, timed_out, abandoned.",
        ("outcome",),
    ),
    "agentcp_failed_attempts": ("counter", "Attempts that failed, and connections lost before they lasted.", ()),
    "agentcp_losses": ("counter", "Times that a proven connection was lost.", ()),
    "agentcp_times_online": ("counter", "Times that a connection came ONLINE with a session.", ()),
    "agentcp_sockets_opened": ("counter", "UDP sockets opened, probes included.", ()),
    "agentcp_socket_failures": ("counter", "Sockets that could not be opened, or broke.", ()),
    "agentcp_send_failures": ("counter", "Datagrams that could not be sent.", ()),
    "agentcp_receive_failures": ("counter", "Receives that failed.", ()),
    "agentcp_datagrams_malformed": ("counter", "Datagrams that the protocol does not have.", ()),
    "agentcp_events_stale": ("counter", "Events of an earlier attempt or probe.", ()),
    "agentcp_invitations": ("counter", "Invitations by outcome: delivered, duplicate.", ("outcome",)),
    "agentcp_handler_failures": ("counter", "Calls of the application's handlers that raised.", ()),
    "agentcp_handler_calls_dropped": ("counter", "Calls of handlers dropped because too many waited.", ()),
    "agentcp_handler_calls_waiting": ("gauge", "Calls of handlers that wait.", ()),
    "agentcp_backoff_remaining_seconds": (
        "largest",
        "The longest time that an agent still waits to sign in again.",
        (),
    ),
    "agentcp_answer_age_seconds": ("largest", "The age of the oldest last answer of a started agent.", ()),
    "agentcp_loss_rate": ("largest", "The largest share of heartbeats that went unanswered of late.", ()),
}
"""The metrics but for the histograms: kind, help and labels; with ``agent``, if that is asked for."""
HISTOGRAMS = {
    "agentcp_round_trip_seconds": "From a heartbeat that was sent once to its answer.",
    "agentcp_loop_lag_seconds": "How late a heartbeat left that was due: the loop was busy.",
}

AnyConnection = Connection | AsyncConnection
Labels = tuple[str, ...]


class Numbers:
    """The values of all metrics, by name and labels."""

    def __init__(self) -> None:
        self.values: dict[str, dict[Labels, float]] = {name: {} for name in FAMILIES}
        self.histograms: dict[str, dict[Labels, Histogram]] = {name: {} for name in HISTOGRAMS}

    def add(self, name: str, labels: Labels, value: float) -> None:
        """Take one more value of a metric in: a sum, or the largest."""
        values = self.values[name]
        if FAMILIES[name][0] == "largest":
            values[labels] = max(values.get(labels, 0.0), value)
        else:
            values[labels] = values.get(labels, 0.0) + value

    def add_histogram(self, name: str, labels: Labels, histogram: Histogram) -> None:
        """Take one more histogram in."""
        self.histograms[name].setdefault(labels, Histogram()).add(histogram)


class Measures:
    """Measures connections: sums over all of them, or with ``agents=True`` one series for each."""

    def __init__(self, *, agents: bool = False) -> None:
        self.agents = agents
        """Whether each series is of one agent, whose id is the label ``agent``."""
        self._metered: dict[AnyConnection, Meter] = {}
        self._removed: WeakSet[AnyConnection] = WeakSet()
        self._gone = Numbers()
        """What removed connections had counted: counters never run backwards."""

    def add(self, connection: AnyConnection) -> None:
        """Count what happens to the connection; once.  Raises ConfigError for one that was removed."""
        if connection in self._removed:
            raise ConfigError(f"{connection!r} was removed, and its counts are in the sums: make another connection")
        if connection not in self._metered:
            meter = self._metered[connection] = Meter()
            connection.observe(meter)

    def remove(self, connection: AnyConnection) -> None:
        """Let go of the connection for good; what it has counted stays in the sums, unless each agent has its own."""
        meter = self._metered.pop(connection, None)
        if meter is not None:
            self._removed.add(connection)
        if meter is not None and not self.agents:
            _add_counters(self._gone, (), meter, connection.health())

    def numbers(self) -> Numbers:
        """All values at this moment."""
        numbers = Numbers()
        if not self.agents:
            for state in State:
                numbers.add("agentcp_agents", (state.value,), 0)
            for name, (_, _, labels) in FAMILIES.items():
                if not labels:
                    numbers.add(name, (), 0)
            for name, values in self._gone.values.items():
                for labels, value in values.items():
                    numbers.add(name, labels, value)
            for name in HISTOGRAMS:
                numbers.add_histogram(name, (), self._gone.histograms[name].get((), Histogram()))
        for connection, meter in list(self._metered.items()):
            health, agent = connection.health(), (connection.agent_id,) if self.agents else ()
            _add_counters(numbers, agent, meter, health)
            _add_gauges(numbers, agent, health)
        return numbers

    def label_names(self, name: str) -> Labels:
        """The labels of a metric, in the order of its values."""
        own = FAMILIES[name][2] if name in FAMILIES else ()
        return ("agent", *own) if self.agents else own


def buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """The upper bound of each bucket, as text, and how many values are not above it."""
    total = 0
    for bound, count in zip((*BOUNDS, float("inf")), histogram.counts, strict=True):
        total += count
        yield "+Inf" if bound == float("inf") else str(bound), total


def _add_counters(numbers: Numbers, agent: Labels, meter: Meter, health: Health) -> None:
    counts: Counter[str] = meter.counts()
    for name, count in (
        ("heartbeats_sent", counts["heartbeats"]),
        ("heartbeats_answered", counts["answers"]),
        ("heartbeats_missed", counts["missed"]),
        ("failed_attempts", counts["failed_attempts"]),
        ("losses", counts["losses"]),
        ("times_online", counts["times_online"]),
        ("sockets_opened", meter.sockets),
        ("socket_failures", meter.socket_failures),
        ("send_failures", counts["send_failures"]),
        ("receive_failures", counts["receive_failures"]),
        ("datagrams_malformed", counts["malformed"]),
        ("events_stale", counts["stale"]),
        ("handler_failures", health.raised),
        ("handler_calls_dropped", health.dropped),
    ):
        numbers.add(f"agentcp_{name}", agent, count)
    for moved, count in list(meter.transitions.items()):
        numbers.add("agentcp_transitions", (*agent, *moved), count)
    for state, seconds in meter.seconds(clock.now()).items():
        numbers.add("agentcp_state_seconds", (*agent, state), seconds)
    for outcome, count in list(meter.sign_ins.items()):
        numbers.add("agentcp_sign_ins", (*agent, outcome), count)
    for outcome, name in (("delivered", "invitations"), ("duplicate", "duplicates")):
        numbers.add("agentcp_invitations", (*agent, outcome), counts[name])
    numbers.add_histogram("agentcp_round_trip_seconds", agent, meter.round_trip)
    numbers.add_histogram("agentcp_loop_lag_seconds", agent, meter.lag)


def _add_gauges(numbers: Numbers, agent: Labels, health: Health) -> None:
    for state in State:
        numbers.add("agentcp_agents", (*agent, state.value), state is health.state)
    numbers.add("agentcp_reachable_agents", agent, health.reachable)
    numbers.add("agentcp_handler_calls_waiting", agent, health.waiting)
    numbers.add("agentcp_backoff_remaining_seconds", agent, health.next_retry or 0.0)
    started = health.state is not State.OFFLINE
    numbers.add("agentcp_answer_age_seconds", agent, (health.last_answer or 0.0) if started else 0.0)
    numbers.add("agentcp_loss_rate", agent, health.loss_rate if started else 0.0)
