"""The metrics of connections, read as Prometheus reads them."""

import subprocess
import sys

import pytest

from agentcp_fsm import ConfigError, State
from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_program
from tests.waiting import online, until

pytest.importorskip("prometheus_client", reason="prometheus-client, of the extra 'metrics', is not installed")
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from agentcp_fsm.operations.measures import FAMILIES, HISTOGRAMS
from agentcp_fsm.operations.metrics import Metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    body, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_an_outage_is_counted() -> None:
    metrics = Metrics()
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        metrics.add(connection)
        metrics.add(connection)  # once is enough
        with connection:
            online(connection)
            peer.wait(lambda: peer.heartbeats >= 5)
            peer.refuse = True
            peer.next_beat = 401
            failed = ("agentcp_sign_ins_total", frozenset({("outcome", "failed")}))
            until(lambda: samples(metrics).get(failed, 0) >= 1)
            peer.next_beat, peer.refuse = 50, False
            online(connection)
            found = samples(metrics)
            assert (
                value(found, "agentcp_agents", state="ONLINE") + value(found, "agentcp_agents", state="DEGRADED") == 1
            )
            assert value(found, "agentcp_reachable_agents") == 1
        found, health = samples(metrics), connection.health()
    counted = health.statistics
    transitions = {labels: number for (name, labels), number in found.items() if name == "agentcp_transitions_total"}
    moved = {(each.source, each.dest, each.trigger) for each in health.transitions}
    assert {(dict(labels)["source"], dict(labels)["dest"], dict(labels)["trigger"]) for labels in transitions} >= moved
    assert value(found, "agentcp_heartbeats_sent_total") == counted.heartbeats
    assert value(found, "agentcp_heartbeats_answered_total") == counted.answers
    assert value(found, "agentcp_heartbeats_missed_total") == counted.missed
    assert value(found, "agentcp_losses_total") == counted.losses
    assert value(found, "agentcp_times_online_total") == counted.times_online
    outcomes = {
        dict(labels)["outcome"]: number for (name, labels), number in found.items() if name == "agentcp_sign_ins_total"
    }
    assert outcomes["succeeded"] >= 2
    assert outcomes["failed"] >= 1
    assert sum(outcomes.values()) == counted.attempts
    assert value(found, "agentcp_agents", state="OFFLINE") == 1
    assert 1 <= value(found, "agentcp_round_trip_seconds_count") <= counted.answers
    assert value(found, "agentcp_loop_lag_seconds_count") >= 1
    assert value(found, "agentcp_state_seconds_total", state=State.ONLINE) > 0


def test_labels_are_bounded_unless_agents_are_asked_for() -> None:
    with Peer() as peer:
        connections = [connect(peer, f"agent-{number}.agentid.pub") for number in range(3)]
        together, apart = Metrics(), Metrics(CollectorRegistry(), agents=True)
        for connection in connections:
            together.add(connection)
            apart.add(connection)
        assert value(samples(together), "agentcp_agents", state="OFFLINE") == 3
        assert not [labels for _, labels in samples(together) if "agent" in dict(labels)]
        agents = {dict(labels)["agent"] for _, labels in samples(apart)}
        assert agents == {connection.agent_id for connection in connections}


def test_counters_never_run_backwards() -> None:
    metrics = Metrics()
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        metrics.add(connection)
        with connection:
            online(connection)
        before = samples(metrics)
        metrics.remove(connection)
        after = samples(metrics)
    counters = {key for key in before if key[0].endswith(("_total", "_count", "_bucket"))}
    assert [key for key in counters if "OFFLINE" not in str(key) and after[key] < before[key]] == []
    assert value(after, "agentcp_agents", state="OFFLINE") == 0
    metrics.remove(connection)  # once is enough
    assert samples(metrics) == after
    with pytest.raises(ConfigError, match="was removed, and its counts are in the sums"):
        metrics.add(connection)


def test_names_and_units_are_conventional() -> None:
    promtool = needs_program("promtool", "prometheus")
    metrics = Metrics()
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        metrics.add(connection)
        online(connection)
        body, _ = metrics.exposition()
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_page_names_every_metric() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    suffix = {"counter": "_total", "gauge": "", "largest": ""}
    names = [name + suffix[kind] for name, (kind, _, _) in FAMILIES.items()] + list(HISTOGRAMS)
    assert [name for name in names if f"`{name}`" not in page and f"`{name}{{" not in page] == []


def test_nothing_of_it_is_loaded_with_the_package() -> None:
    program = (
        "import sys, agentcp_fsm; agentcp_fsm.Connection\n"
        "print([name for name in sys.modules if 'prometheus' in name or 'opentelemetry' in name"
        " or name.startswith(('agentcp_fsm.operations', 'agentcp_fsm.traces', 'textual'))])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
