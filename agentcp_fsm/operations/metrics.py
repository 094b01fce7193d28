"""Metrics of any number of connections, for Prometheus.  It needs the extra ``metrics``.

    metrics = Metrics()
    metrics.add(connection)
    StatusPlace("127.0.0.1:8764", [connection], metrics=metrics.exposition)

They are sums over all connections.  With ``agents=True`` each series has the agent's id as the label ``agent``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from agentcp_fsm.operations.measures import FAMILIES, HISTOGRAMS, Measures, buckets


class Metrics(Measures, Collector):
    """The metrics of connections: a collector of a registry, which is one of its own unless one is given."""

    def __init__(self, registry: CollectorRegistry | None = None, *, agents: bool = False) -> None:
        super().__init__(agents=agents)
        self.registry = registry or CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The metrics, for the registry."""
        numbers = self.numbers()
        for name, (kind, text, _) in FAMILIES.items():
            make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
            family = make(name, text, labels=self.label_names(name))
            for labels, value in numbers.values[name].items():
                family.add_metric(labels, value)
            yield family
        for name, text in HISTOGRAMS.items():
            histograms = HistogramMetricFamily(name, text, labels=self.label_names(name))
            for labels, histogram in numbers.histograms[name].items():
                histograms.add_metric(labels, list(buckets(histogram)), histogram.total)
            yield histograms

    def describe(self) -> Iterable[Metric]:
        """The names, which are known before anything is counted."""
        return ()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The registry in the form that Prometheus scrapes, and its content type, by what the scraper accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
