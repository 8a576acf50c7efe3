"""`/metrics`: metrics for Prometheus.

What all processes share is read from the database and the broker at the time of the scrape, so it does not matter which
process answers; only request latencies are counted in the web processes, which collect them in a shared folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

import psutil
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from rest_framework.request import Request
from typing_extensions import override

from alarms.models import Alarm, EvaluationFailure
from alarms.notifications.undelivered import WaitingMessages, waiting_messages
from alarms.selectors import not_evaluated_counts, ongoing_excursion_count, open_counts
from alarms.thresholds import Severity
from core.http.addresses import parse_networks
from customers.access.authentication import is_operator
from customers.access.login_throttle import reported_address
from ingestion.metrics import DeliveryMetrics, SourceMetrics, delivery_metrics, source_metrics
from ingestion.models import IngestionType
from readings.storage.archive.verification import archive_size
from temperature_site.health.broker import BrokerOut, QueueState, queue_states
from temperature_site.health.views import TtlCache, latest_report
from temperature_site.heartbeats import watched_queues
from temperature_site.models import Backup

POLLED = frozenset(IngestionType) - {IngestionType.PUSH, IngestionType.IMPORT, IngestionType.MQTT}
# Scrapes are frequent, and summing millions of deliveries may take a second.
CACHE_SECONDS = 5.0


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return every metric in Prometheus' text format, to those who may read them."""
    if not _may_read(request):
        message = "Sign in as staff, send METRICS_TOKEN as a bearer token, or name this network in METRICS_NETWORKS.\n"
        return HttpResponse(message, status=403, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(shared_metrics)
    text = generate_latest(registry) + generate_latest(_process_registry())
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.DEMO:
        return True
    authorization = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if settings.METRICS_TOKEN and constant_time_compare(authorization, expected):
        return True
    return _is_from_network(reported_address(request)) or is_operator(Request(request))


def _is_from_network(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in parse_networks(settings.METRICS_NETWORKS))


def _process_registry() -> CollectorRegistry:
    """Return the registry of all web processes where they share a folder, else of this process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # without annotations
    return registry


class SharedMetrics(Collector):
    """Collect the metrics that are the same in every process."""

    def __init__(self) -> None:
        self.cached = TtlCache(lambda: list(_shared()), CACHE_SECONDS)

    @override
    def collect(self) -> Iterable[Metric]:
        return self.cached.value()

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, because registering must not query anything."""
        return []


shared_metrics = SharedMetrics()


def _shared() -> Iterator[Metric]:
    results = latest_report.value().results
    yield _up(results.parts())
    yield from _of_queues()
    if results.has_database:
        yield from _of_deliveries(delivery_metrics())
        yield from _of_sources(source_metrics())
        yield _of_alarms(open_counts())
        ongoing = "Excursions that have not ended."
        yield GaugeMetricFamily("temperature_excursions_lasting", ongoing, value=ongoing_excursion_count())
        yield _of_failed_evaluations(not_evaluated_counts())
        yield from _of_messages(waiting_messages())
        yield from _of_backups()
        yield from _of_archive()
    yield _of_disk()


def _up(parts: dict[str, bool]) -> Metric:
    family = GaugeMetricFamily(
        "temperature_up", "1 for a part of the system whose health check passes.", labels=["part"]
    )
    for part, is_up in parts.items():
        family.add_metric([part], int(is_up))
    return family


def _of_deliveries(metrics: list[DeliveryMetrics]) -> Iterator[Metric]:
    polls = CounterMetricFamily("temperature_polls", "Polls of customers' systems.", labels=["status"])
    deliveries = CounterMetricFamily("temperature_deliveries", "Polls, pushes and imports.", labels=["type", "status"])
    store_seconds = SummaryMetricFamily(
        "temperature_store_seconds", "Time taken to store the readings of a delivery.", labels=["type"]
    )
    for status in sorted({each.status for each in metrics}):
        polled = [each.deliveries for each in metrics if each.ingestion_type in POLLED and each.status == status]
        polls.add_metric([status], sum(polled))
    for each in metrics:
        deliveries.add_metric([each.ingestion_type, each.status], each.deliveries)
    for kind in sorted({each.ingestion_type for each in metrics}):
        same_type = [each for each in metrics if each.ingestion_type == kind]
        store_seconds.add_metric(
            [kind], sum(each.deliveries for each in same_type), sum(each.store_seconds for each in same_type)
        )
    yield from (polls, deliveries, store_seconds, _of_readings(metrics))


def _of_readings(metrics: list[DeliveryMetrics]) -> Metric:
    readings = CounterMetricFamily("temperature_readings", "Rows received, by outcome.", labels=["fate"])
    for fate in ("stored", "duplicate", "conflicting", "rejected"):
        readings.add_metric([fate], sum(getattr(each, fate) for each in metrics))
    return readings


def _of_sources(metrics: SourceMetrics) -> Iterator[Metric]:
    lag = "How long the most overdue source has been due."
    yield GaugeMetricFamily("temperature_poll_lag_seconds", lag, value=metrics.lag_seconds)
    yield GaugeMetricFamily("temperature_sources", "Sources that are polled.", value=metrics.polled)
    yield GaugeMetricFamily("temperature_sources_failing", "Sources whose last poll failed.", value=metrics.failing)


def _of_alarms(counts: Mapping[tuple[str, str], int]) -> Metric:
    """Report every kind and severity, so that a series exists before its first alarm."""
    help_text = "Alarms that are open or acknowledged."
    family = GaugeMetricFamily("temperature_alarms_open", help_text, labels=["kind", "severity"])
    for kind in Alarm.Kind.values:
        for severity in Severity:
            family.add_metric([kind, severity.value], counts.get((kind, severity.value), 0))
    return family


def _of_failed_evaluations(counts: Mapping[str, int]) -> Metric:
    help_text = "Storage units of which a part could not be evaluated."
    family = GaugeMetricFamily("temperature_units_not_evaluated", help_text, labels=["part"])
    for part in EvaluationFailure.Part.values:
        family.add_metric([part], counts.get(part, 0))
    return family


def _of_messages(counts: Mapping[str, WaitingMessages]) -> Iterator[Metric]:
    waiting = "Alarm messages that wait to be sent, those to be retried included."
    failing = "Alarm messages that failed and are retried."
    waiting_family = GaugeMetricFamily("temperature_messages_waiting", waiting, labels=["kind"])
    failing_family = GaugeMetricFamily("temperature_messages_failing", failing, labels=["kind"])
    for kind, count in counts.items():
        waiting_family.add_metric([kind], count.waiting)
        failing_family.add_metric([kind], count.failing)
    yield from (waiting_family, failing_family)


def _of_backups() -> Iterator[Metric]:
    """Report the newest backup; nothing before the first one, or where they are taken in another way."""
    if settings.BACKUP_HOURS and (newest := Backup.objects.first()):
        age = "Age of the newest backup that `manage.py backup` completed."
        seconds = (timezone.now() - newest.taken_at).total_seconds()
        yield GaugeMetricFamily("temperature_backup_age_seconds", age, value=seconds)


def _of_archive() -> Iterator[Metric]:
    size = archive_size()
    yield GaugeMetricFamily("temperature_archived_months", "Months of readings in files.", value=size.months)
    yield GaugeMetricFamily("temperature_archived_readings", "Readings in files.", value=size.readings)
    yield GaugeMetricFamily("temperature_archive_bytes", "The size of these files.", value=size.byte_count)


def _of_disk() -> Metric:
    disk = psutil.disk_usage(str(settings.DATA_DIR))
    family = GaugeMetricFamily("temperature_disk_bytes", "The disk of the data directory.", labels=["state"])
    family.add_metric(["free"], disk.free)
    family.add_metric(["used"], disk.used)
    return family


def _of_queues() -> Iterator[Metric]:
    depth = GaugeMetricFamily("temperature_queue_depth", "Messages waiting for a worker.", labels=["queue"])
    for queue, state in _queue_states().items():
        depth.add_metric([queue], state.messages)
    yield depth


def _queue_states() -> dict[str, QueueState]:
    try:
        return queue_states(watched_queues())
    except BrokerOut:
        return {}  # `temperature_up` reports it
