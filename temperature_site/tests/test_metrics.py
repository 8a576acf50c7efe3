"""`/metrics`: what Prometheus reads, compared with what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from ingestion.models import IngestionType
from temperature_site import metrics
from temperature_site.health import views
from temperature_site.health.broker import BrokerOut, QueueState
from tests.alarm_factories import (
    AlarmFactory,
    ClosedAlarmFactory,
    EvaluationFailureFactory,
    MessageFactory,
    NoDataAlarmFactory,
)
from tests.factories import DeliveryFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_the_demo(settings: Settings) -> None:
    """Open the metrics to everybody."""
    settings.DEMO = True


@pytest.fixture
def scrape_metrics(client: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[tuple[str, ...], float]]:
    """Return a function that scrapes `/metrics`: values by name and by labels in the order of their names."""

    def scrape() -> dict[tuple[str, ...], float]:
        monkeypatch.setattr(views.latest_report, "_cached", None)
        monkeypatch.setattr(metrics.shared_metrics.cached, "_cached", None)
        families = text_string_to_metric_families(client.get("/metrics").content.decode())
        return {
            (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
            for family in families
            for each in family.samples
        }

    return scrape


def test_deliveries_are_summed_by_outcome(scrape_metrics: Callable[[], dict[tuple[str, ...], float]]) -> None:
    DeliveryFactory(records_stored=5, records_duplicate=3, store_seconds=0.25)
    DeliveryFactory(records_stored=1, records_rejected=2, status="partial", store_seconds=0.5)
    DeliveryFactory(ingestion_type="push", records_stored=7, records_conflicting=1, status="partial")

    found = scrape_metrics()

    assert found["temperature_polls_total", "success"] == 1
    assert found["temperature_polls_total", "partial"] == 1
    assert found["temperature_deliveries_total", "partial", "push"] == 1
    assert found["temperature_readings_total", "stored"] == 13
    assert found["temperature_readings_total", "duplicate"] == 3
    assert found["temperature_readings_total", "conflicting"] == 1
    assert found["temperature_readings_total", "rejected"] == 2
    assert found["temperature_store_seconds_sum", "api"] == 0.75
    assert found["temperature_store_seconds_count", "api"] == 2


def test_polls_of_files_are_polls(scrape_metrics: Callable[[], dict[tuple[str, ...], float]]) -> None:
    """Folders and servers of files are polled like APIs; messages, pushes and imports arrive by themselves."""
    for ingestion_type in IngestionType:
        DeliveryFactory(ingestion_type=ingestion_type)
    assert scrape_metrics()["temperature_polls_total", "success"] == len({"api", "csv", "folder", "sftp", "s3"})


def test_the_lag_is_that_of_the_most_overdue_source(scrape_metrics: Callable[[], dict[tuple[str, ...], float]]) -> None:
    now = timezone.now()
    SourceFactory(next_due_at=now - timedelta(seconds=100), failures_in_a_row=1)
    SourceFactory(next_due_at=now + timedelta(seconds=100))
    SourceFactory(next_due_at=now - timedelta(days=1), is_paused=True)

    found = scrape_metrics()

    assert 100 <= found["temperature_poll_lag_seconds",] < 110
    assert found["temperature_sources",] == 2
    assert found["temperature_sources_failing",] == 1


def test_an_idle_system_has_no_lag(scrape_metrics: Callable[[], dict[tuple[str, ...], float]]) -> None:
    found = scrape_metrics()
    assert found["temperature_poll_lag_seconds",] == 0
    assert {value for key, value in found.items() if key[0] == "temperature_alarms_open"} == {0}
    assert found["temperature_excursions_lasting",] == 0


def test_alarms_are_counted_by_kind_and_severity(scrape_metrics: Callable[[], dict[tuple[str, ...], float]]) -> None:
    AlarmFactory()
    AlarmFactory(state="acknowledged", acknowledged_at=timezone.now())
    NoDataAlarmFactory()
    ClosedAlarmFactory()

    found = scrape_metrics()

    assert found["temperature_alarms_open", "temperature", "critical"] == 2
    assert found["temperature_alarms_open", "no_data", "warning"] == 1
    assert found["temperature_alarms_open", "mkt", "warning"] == 0
    assert found["temperature_excursions_lasting",] == 2


def test_waiting_and_failing_messages_are_counted_by_kind(
    scrape_metrics: Callable[[], dict[tuple[str, ...], float]],
) -> None:
    MessageFactory()
    MessageFactory(attempt_count=2)

    found = scrape_metrics()

    assert found["temperature_messages_waiting", "email"] == 2
    assert found["temperature_messages_failing", "email"] == 1
    assert found["temperature_messages_waiting", "webhook"] == 0


def test_the_depth_of_each_queue_is_reported(
    scrape_metrics: Callable[[], dict[tuple[str, ...], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "queue_states", lambda queues: {queue: QueueState(4, 1) for queue in queues})
    assert scrape_metrics()["temperature_queue_depth", "temperature.slow"] == 4


def test_without_the_broker_the_rest_is_reported(
    scrape_metrics: Callable[[], dict[tuple[str, ...], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(queues: list[str]) -> None:
        raise BrokerOut

    monkeypatch.setattr(metrics, "queue_states", refuse)

    found = scrape_metrics()

    assert not [key for key in found if key[0] == "temperature_queue_depth"]
    assert found["temperature_sources",] == 0


def test_a_request_is_measured_by_its_route(
    client: Client, scrape_metrics: Callable[[], dict[tuple[str, ...], float]]
) -> None:
    def count() -> float:
        return scrape_metrics().get(("temperature_http_request_seconds_count", "GET", "ping", "200"), 0.0)

    before = count()
    client.get("/ping?whatever")
    assert count() == before + 1


def test_unknown_paths_share_one_series(
    client: Client, scrape_metrics: Callable[[], dict[tuple[str, ...], float]]
) -> None:
    client.get("/made-up-by-a-client")
    routes = {key[2] for key in scrape_metrics() if key[0] == "temperature_http_request_seconds_count"}
    assert "none" in routes
    assert not any("made-up" in route for route in routes)


def test_units_that_could_not_be_evaluated_are_counted_by_part(
    scrape_metrics: Callable[[], dict[tuple[str, ...], float]],
) -> None:
    EvaluationFailureFactory.create_batch(2, part="budget")
    found = scrape_metrics()
    assert found["temperature_units_not_evaluated", "budget"] == 2
    assert found["temperature_units_not_evaluated", "temperature"] == 0
    assert found["temperature_up", "evaluation"] == 0
