"""The same numbers in OpenTelemetry, and a span for each outage."""

import pytest

from agentcp_fsm import State
from tests.connection.peer import PATIENT, Peer, connect
from tests.waiting import online, until

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk, of the extra 'test', is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from agentcp_fsm.operations.measures import FAMILIES, HISTOGRAMS, Measures
from agentcp_fsm.operations.otel import export_measures, trace_outages

Points = dict[str, dict[frozenset[tuple[str, object]], float]]


def points(reader: InMemoryMetricReader) -> Points:
    data = reader.get_metrics_data()
    assert data is not None
    found: Points = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    attributes = frozenset((point.attributes or {}).items())
                    found.setdefault(metric.name, {})[attributes] = point.value  # type: ignore[union-attr]
    return found


def test_the_metrics_are_those_of_prometheus() -> None:
    reader, measures = InMemoryMetricReader(), Measures()
    export_measures(measures, MeterProvider([reader]))
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        measures.add(connection)
        with connection:
            online(connection)
            peer.wait(lambda: peer.heartbeats >= 3)
    found, numbers = points(reader), measures.numbers()
    for name in FAMILIES:
        if numbers.values[name] and name != "agentcp_state_seconds":
            expected = {
                frozenset(zip(measures.label_names(name), labels, strict=True)): value
                for labels, value in numbers.values[name].items()
            }
            assert found[name] == expected
    for name in HISTOGRAMS:
        histogram = numbers.histograms[name][()]
        assert found[f"{name}_count"] == {frozenset(): sum(histogram.counts)}
        assert found[f"{name}_sum"] == {frozenset(): histogram.total}
        assert found[f"{name}_bucket"][frozenset({("le", "+Inf")})] == sum(histogram.counts)
    assert found["agentcp_heartbeats_answered"][frozenset()] == connection.health().statistics.answers


def test_an_outage_is_a_span_with_its_transitions() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        trace_outages(connection, provider)
        with connection:
            online(connection)
            peer.next_beat = 401
            until(lambda: connection.health().statistics.losses >= 1)
            peer.next_beat = 50
            until(lambda: len(exporter.get_finished_spans()) >= 1)
            online(connection)
            peer.refuse = True
            peer.next_beat = 401
            assert connection.wait_for(State.BACKOFF, timeout=10)
        transitions = connection.health().transitions
        until(lambda: exporter.get_finished_spans()[-1].status.status_code is StatusCode.ERROR)
    first, *_, last = exporter.get_finished_spans()
    begins = next(number for number, each in enumerate(transitions) if each.lost)
    ends = next(number for number, each in enumerate(transitions) if number > begins and each.dest is State.ONLINE)
    assert [event.name for event in first.events] == [
        f"{each.source} -> {each.dest}" for each in transitions[begins : ends + 1]
    ]
    assert (first.name, first.attributes) == (
        "agentcp.outage",
        {
            "agentcp.agent_id": "alice.agentid.pub",
            "agentcp.trigger": transitions[begins].trigger,
            "agentcp.reason": transitions[begins].text,
        },
    )
    assert first.status.status_code is StatusCode.UNSET
    assert first.start_time is not None
    assert first.end_time is not None
    times = [first.start_time, *(event.timestamp for event in first.events), first.end_time]
    assert times == sorted(times)
    assert last.events[-1].name == "STOPPING -> OFFLINE"
