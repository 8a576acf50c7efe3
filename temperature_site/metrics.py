"""`/metrics`: figures for Prometheus.

What all processes share is asked of the database and the broker at the moment of asking, so that it does not matter
which process answers; only the latencies of requests are counted in the web processes, which keep them together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from alarms.models import Alarm
from alarms.selectors import lasting_count, open_counts
from alarms.thresholds import Severity
from core.caching import Kept
from ingestion.metrics import DeliveryFigures, SourceFigures, delivery_figures, source_figures
from ingestion.models import IngestionType
from temperature_site.health.broker import BrokerOut, QueueState, queue_states
from temperature_site.health.views import examiner
from temperature_site.heartbeats import watched_queues

POLLED = (IngestionType.API, IngestionType.CSV)
# Anybody may ask, and adding up all deliveries may take a second when there are millions.
KEPT_SECONDS = 5.0


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(shared_figures)
    text = generate_latest(registry) + generate_latest(_processes_figures())
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _processes_figures() -> CollectorRegistry:
    """What the web processes counted: all of them where they keep a folder for that, else this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


class SharedFigures(Collector):
    """The figures that are the same whichever process is asked."""

    def __init__(self) -> None:
        self.kept = Kept(lambda: list(_shared()), KEPT_SECONDS)

    def collect(self) -> Iterable[Metric]:
        return self.kept.value()

    def describe(self) -> Iterable[Metric]:
        return []  # registering asks nothing


shared_figures = SharedFigures()


def _shared() -> Iterator[Metric]:
    findings = examiner.value().findings
    yield _up(findings.parts())
    yield from _of_queues()
    if findings.has_database:
        yield from _of_deliveries(delivery_figures())
        yield from _of_sources(source_figures())
        yield _of_alarms(open_counts())
        lasting = "Stretches of time outside the limits that have not ended."
        yield GaugeMetricFamily("temperature_excursions_lasting", lasting, value=lasting_count())


def _up(parts: dict[str, bool]) -> Metric:
    family = GaugeMetricFamily("temperature_up", "1 for a part that /health finds in order.", labels=["part"])
    for part, is_up in parts.items():
        family.add_metric([part], int(is_up))
    return family


def _of_deliveries(figures: list[DeliveryFigures]) -> Iterator[Metric]:
    polls = CounterMetricFamily("temperature_polls", "Polls of customers' systems.", labels=["status"])
    deliveries = CounterMetricFamily("temperature_deliveries", "Polls, pushes and imports.", labels=["type", "status"])
    store_seconds = SummaryMetricFamily(
        "temperature_store_seconds", "Time that storing the readings of a delivery took.", labels=["type"]
    )
    for status in sorted({each.status for each in figures}):
        polled = [each.deliveries for each in figures if each.ingestion_type in POLLED and each.status == status]
        polls.add_metric([status], sum(polled))
    for each in figures:
        deliveries.add_metric([each.ingestion_type, each.status], each.deliveries)
    for kind in sorted({each.ingestion_type for each in figures}):
        alike = [each for each in figures if each.ingestion_type == kind]
        store_seconds.add_metric(
            [kind], sum(each.deliveries for each in alike), sum(each.store_seconds for each in alike)
        )
    yield from (polls, deliveries, store_seconds, _of_readings(figures))


def _of_readings(figures: list[DeliveryFigures]) -> Metric:
    readings = CounterMetricFamily("temperature_readings", "Rows that arrived, by their fate.", labels=["fate"])
    for fate in ("stored", "duplicate", "conflicting", "rejected"):
        readings.add_metric([fate], sum(getattr(each, fate) for each in figures))
    return readings


def _of_sources(figures: SourceFigures) -> Iterator[Metric]:
    lag = "For how long the source that waits longest for its poll has been due."
    yield GaugeMetricFamily("temperature_poll_lag_seconds", lag, value=figures.lag_seconds)
    yield GaugeMetricFamily("temperature_sources", "Sources that are polled.", value=figures.polled)
    yield GaugeMetricFamily("temperature_sources_failing", "Those whose last poll failed.", value=figures.failing)


def _of_alarms(counts: Mapping[tuple[str, str], int]) -> Metric:
    """Every kind and severity, so that a series does not begin with its first alarm."""
    help_text = "Alarms that are open or acknowledged."
    family = GaugeMetricFamily("temperature_alarms_open", help_text, labels=["kind", "severity"])
    for kind in Alarm.Kind.values:
        for severity in Severity:
            family.add_metric([kind, severity.value], counts.get((kind, severity.value), 0))
    return family


def _of_queues() -> Iterator[Metric]:
    depth = GaugeMetricFamily("temperature_queue_depth", "Messages that wait for a worker.", labels=["queue"])
    for queue, state in _queue_states().items():
        depth.add_metric([queue], state.messages)
    yield depth


def _queue_states() -> dict[str, QueueState]:
    try:
        return queue_states(watched_queues())
    except BrokerOut:
        return {}  # `temperature_up` tells it
