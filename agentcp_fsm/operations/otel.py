"""Connections in OpenTelemetry: the metrics, and a span for each outage.  It needs the extra ``otel``.

    measures = Measures()
    measures.add(connection)
    export_measures(measures)
    trace_outages(connection)

Without providers, those that the program has set are used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider
from opentelemetry.trace import Span, StatusCode, TracerProvider, get_tracer_provider

from agentcp_fsm.connection import AsyncConnection, Connection
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.effects import ReportTransition
from agentcp_fsm.operations.measures import FAMILIES, HISTOGRAMS, Measures, buckets
from agentcp_fsm.support import clock

SCOPE = "agentcp_fsm"
SPAN = "agentcp.outage"

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def export_measures(measures: Measures, provider: MeterProvider | None = None) -> None:
    """Have the provider read the metrics when it wants them, under the names that Prometheus sees, without ``_total``.

    The histograms come as the counters ``NAME_bucket`` (by the label ``le``), ``NAME_sum`` and ``NAME_count``.
    """
    meter = (provider or get_meter_provider()).get_meter(SCOPE)
    for name, (kind, text, _) in FAMILIES.items():
        unit = "s" if name.endswith("_seconds") else "1"
        make = meter.create_observable_counter if kind == "counter" else meter.create_observable_gauge
        make(name, [_values(measures, name)], unit, text)
    for name, text in HISTOGRAMS.items():
        for part, unit in (("bucket", "1"), ("sum", "s"), ("count", "1")):
            meter.create_observable_counter(f"{name}_{part}", [_histogram(measures, name, part)], unit, text)


def _values(measures: Measures, name: str) -> Callback:
    def observe(options: CallbackOptions) -> Iterator[Observation]:
        for labels, value in measures.numbers().values[name].items():
            yield Observation(value, dict(zip(measures.label_names(name), labels, strict=True)))

    return observe


def _histogram(measures: Measures, name: str, part: str) -> Callback:
    def observe(options: CallbackOptions) -> Iterator[Observation]:
        for labels, histogram in measures.numbers().histograms[name].items():
            named = dict(zip(measures.label_names(name), labels, strict=True))
            if part == "bucket":
                for bound, count in buckets(histogram):
                    yield Observation(count, {**named, "le": bound})
            else:
                yield Observation(histogram.total if part == "sum" else sum(histogram.counts), named)

    return observe


def trace_outages(connection: Connection | AsyncConnection, provider: TracerProvider | None = None) -> None:
    """Make a span of each outage of the connection, from its loss to ONLINE, with each transition as an event.

    The span of an outage that the application ended, or that ended in giving up, has the status ERROR.
    """
    tracer = (provider or get_tracer_provider()).get_tracer(SCOPE)
    span: Span | None = None

    @connection.on_transition
    def follow(transition: ReportTransition) -> None:
        nonlocal span
        at = int((time.time() - (clock.now() - transition.at)) * 1e9)
        if transition.lost and span is None:
            span = tracer.start_span(
                SPAN,
                attributes={
                    "agentcp.agent_id": connection.agent_id,
                    "agentcp.trigger": transition.trigger,
                    "agentcp.reason": transition.text,
                },
                start_time=at,
            )
        if span is None:
            return
        span.add_event(
            f"{transition.source} -> {transition.dest}",
            {"agentcp.trigger": transition.trigger, "agentcp.reason": transition.text},
            timestamp=at,
        )
        if transition.dest in (State.ONLINE, State.OFFLINE):
            if transition.dest is State.OFFLINE:
                span.set_status(StatusCode.ERROR, transition.text)
            span.end(end_time=at)
            span = None
