"""`/health` reports the state of each part, from its heartbeats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import psycopg2.errors
import pytest
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from ingestion.models.source import IngestionType
from readings.archive_models import ArchivedMonth
from readings.storage.partitions import ensure_partitions_ahead
from temperature_site import heartbeats
from temperature_site.celery import app
from temperature_site.conf.checks import check_deployment
from temperature_site.forwarded_headers import ForwardedHeadersMiddleware
from temperature_site.health import broker, checks
from temperature_site.health.broker import BrokerOut, QueueState
from temperature_site.health.checks import CheckResults
from temperature_site.models import ForwardedHeaders, QueueHeartbeat
from temperature_site.operations.doctor import HEALTH_ADVICE
from temperature_site.schedule import ensure_schedule
from temperature_site.tasks import note_heartbeat, note_slow_heartbeat
from tests.alarm_factories import EvaluationFailureFactory, MessageFactory
from tests.factories import CustomerFactory, SourceFactory, StaffFactory, UserFactory, make_token

pytestmark = pytest.mark.django_db

DEFAULT, SLOW, MESSAGES = "temperature", "temperature.slow", "temperature.messages"


@pytest.fixture(autouse=True)
def all_is_well(uncached_health: None) -> None:
    """Beat has just sent something, both queues have a worker, and no report is cached."""
    ensure_schedule()
    ensure_partitions_ahead()
    PeriodicTask.objects.update(last_run_at=timezone.now())
    heartbeats.record_started([DEFAULT, SLOW, MESSAGES])


def quiet(field: str, seconds: int, queue: str = DEFAULT) -> None:
    QueueHeartbeat.objects.filter(queue=queue).update(**{field: timezone.now() - timedelta(seconds=seconds)})


def test_all_is_well(client: Client) -> None:
    response = client.get("/health")

    answer = response.json()
    assert response.status_code == 200
    assert answer.pop("uptime_seconds") > 0
    assert answer.pop("timestamp").startswith(f"{timezone.now():%Y-}")
    assert answer == {
        "status": "ok",
        "version": settings.VERSION,
        "database": "ok",
        "rabbitmq": "ok",
        "beat": "ok",
        "workers": "ok",
        "partitions": "ok",
        "evaluation": "ok",
        "clocks": "ok",
        "storing": "ok",
        "subscriber": "ok",
        "sealing": "ok",
        "archive": "ok",
        "notifications": "ok",
    }


def test_a_month_that_could_not_be_archived_is_reported(client: Client) -> None:
    ArchivedMonth.objects.create(month=date(2024, 3, 1), problem="The disk is full.", failed_at=timezone.now())
    assert client.get("/health").json()["archive"] == "error: 2024-03: The disk is full."


def test_notifications_that_reach_nobody_are_reported(client: Client) -> None:
    for _ in range(2):
        MessageFactory(attempt_count=1, tried_since=timezone.now() - timedelta(minutes=6))

    answer = client.get("/health").json()

    assert answer["status"] == "degraded"
    assert answer["notifications"].startswith("error: E-mail: nothing delivered since ")


def test_records_that_are_not_sealed_are_reported(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seals.sealing.CHAINED_WITHIN", timedelta(seconds=-60))
    CustomerFactory.create()

    answer = client.get("/health").json()

    assert answer["status"] == "degraded"
    assert answer["sealing"].startswith("error: entries of the audit trail since ")


def test_a_stopped_subscriber_is_reported_while_a_source_needs_it(client: Client) -> None:
    heartbeats.record_started([heartbeats.SUBSCRIBER])
    quiet("seen_at", 46, heartbeats.SUBSCRIBER)
    source = SourceFactory.create(ingestion_type=IngestionType.MQTT)

    assert heartbeats.subscriber_problem(timezone.now()) is not None
    assert client.get("/health").json()["subscriber"].startswith("error: not seen since ")

    source.is_paused = True
    source.save()
    assert heartbeats.subscriber_problem(timezone.now()) is None


def test_the_doctor_has_advice_for_every_part() -> None:
    parts = set(CheckResults.__dataclass_fields__)

    assert parts == set(HEALTH_ADVICE)


def test_a_stopped_beat_is_reported(client: Client) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=46))

    answer = client.get("/health").json()

    assert answer["status"] == "degraded"
    assert answer["beat"].startswith("error: nothing sent since ")
    assert answer["workers"] == "ok"


def test_a_beat_that_never_started_is_reported(client: Client) -> None:
    PeriodicTask.objects.update(last_run_at=None)
    assert client.get("/health").json()["beat"] == "error: nothing was ever sent"


@pytest.mark.parametrize("queue", [DEFAULT, SLOW])
def test_a_stopped_worker_is_reported_by_queue(client: Client, queue: str) -> None:
    quiet("seen_at", 46, queue)

    answer = client.get("/health").json()

    assert answer["workers"].startswith(f"error: {queue}: no worker seen since ")
    assert answer["beat"] == "ok"


def test_a_worker_that_executes_nothing_is_reported(client: Client) -> None:
    quiet("ran_at", 181)
    assert client.get("/health").json()["workers"].startswith(f"error: {DEFAULT}: no task run since ")


def test_a_worker_without_messages_is_not_reported(client: Client) -> None:
    quiet("ran_at", 181)
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=60))
    assert client.get("/health").json()["workers"] == "ok"


@pytest.mark.parametrize(("task", "queue"), [(note_heartbeat, DEFAULT), (note_slow_heartbeat, SLOW)])
def test_a_heartbeat_task_is_recorded_for_its_queue(task: Callable[[], None], queue: str) -> None:
    quiet("ran_at", 181, queue)
    task()
    assert timezone.now() - QueueHeartbeat.objects.get(queue=queue).ran_at < timedelta(seconds=5)


def test_a_worker_that_never_started_is_reported(client: Client) -> None:
    QueueHeartbeat.objects.filter(queue=SLOW).delete()
    assert client.get("/health").json()["workers"] == f"error: {SLOW}: no worker was ever seen"


def test_a_queue_without_consumers_is_reported_where_the_broker_knows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {DEFAULT: QueueState(3, 1), SLOW: QueueState(0, 0)}
    monkeypatch.setattr(checks, "queue_states", lambda queues: states)
    assert client.get("/health").json()["workers"] == f"error: {SLOW}: no worker listens"


def test_an_unavailable_broker_is_reported(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(queues: list[str]) -> None:
        raise BrokerOut("Connection refused")

    monkeypatch.setattr(checks, "queue_states", refuse)

    answer = client.get("/health").json()

    assert answer["rabbitmq"] == "error: Connection refused"
    assert answer["status"] == "degraded"


@pytest.mark.parametrize(("ahead", "difference"), [(20, "20 s ahead of"), (-3600, "3,600 s behind")])
def test_a_clock_that_differs_is_reported(client: Client, ahead: float, difference: str) -> None:
    QueueHeartbeat.objects.filter(queue=SLOW).update(clock_ahead_seconds=ahead)

    answer = client.get("/health").json()

    assert answer["status"] == "degraded"
    assert answer["clocks"] == f"error: a worker of {SLOW} is {difference} the database"


@pytest.mark.parametrize("minutes_ahead", [-10, 10])
def test_a_web_process_whose_clock_is_wrong_reports_no_other_part(
    client: Client, monkeypatch: pytest.MonkeyPatch, minutes_ahead: int
) -> None:
    SourceFactory.create(interval_seconds=60, last_success_at=timezone.now())
    now, difference = timezone.now, timedelta(minutes=minutes_ahead)
    monkeypatch.setattr("core.db.clock.database_now", now)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now() + difference)

    answer = client.get("/health").json()

    wrong = {part: result for part, result in answer.items() if str(result).startswith("error")}
    assert wrong.keys() == {"clocks"}
    assert wrong["clocks"].startswith("error: web is 600 s ")


@pytest.mark.parametrize("minutes_ahead", [-10, 10])
def test_a_beat_whose_clock_is_wrong_is_not_reported_as_stopped(client: Client, minutes_ahead: int) -> None:
    heartbeats.record_seen([heartbeats.BEAT])
    QueueHeartbeat.objects.filter(queue=heartbeats.BEAT).update(clock_ahead_seconds=60 * minutes_ahead)
    PeriodicTask.objects.update(last_run_at=timezone.now() + timedelta(minutes=minutes_ahead))

    answer = client.get("/health").json()

    assert answer["beat"] == "ok"
    assert answer["clocks"].startswith("error: beat is 600 s ")


def test_a_beat_whose_last_run_lies_in_the_future_is_reported(client: Client) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() + timedelta(hours=1))
    assert client.get("/health").json()["beat"].startswith("error: its last run is dated in the future")


@pytest.mark.parametrize(
    ("minutes", "late", "problem"),
    [
        (0, 0, "ok"),
        (3, 0, "error: no source was polled successfully since "),
        (0, 2, "ok"),
        (0, 3, "error: 3 of 4 sources are late"),
    ],
)
def test_readings_that_are_not_stored_are_reported(client: Client, minutes: int, late: int, problem: str) -> None:
    succeeded_at = timezone.now() - timedelta(minutes=minutes)
    SourceFactory.create_batch(4 - late, interval_seconds=60, last_success_at=succeeded_at)
    SourceFactory.create_batch(late, interval_seconds=60, last_success_at=timezone.now() - timedelta(hours=1))

    answer = client.get("/health").json()

    assert answer["storing"].startswith(problem)


@pytest.mark.parametrize("part", ["_broker", "_probe_database"])
def test_a_part_that_does_not_answer_delays_the_report_by_two_seconds_at_most(
    client: Client, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(checks, part, lambda: is_over.wait(30))
    began = time.monotonic()
    try:
        answer = client.get("/health").json()
    finally:
        is_over.set()
    assert answer["rabbitmq" if part == "_broker" else "database"] == "error: no answer"
    assert time.monotonic() - began < 5  # 1.5 s, on a machine that is busy


def test_the_cause_of_a_database_that_cannot_store_is_reported(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("could not extend file") from psycopg2.errors.lookup("53100")()

    monkeypatch.setattr(checks, "_probe_database", refuse)
    monkeypatch.setattr(checks, "cause_of", lambda error: "The database's disk is full.")
    assert client.get("/health").json()["database"] == "error: The database's disk is full."


def test_a_missing_partition_is_reported(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE reading_{timezone.now():%Y_%m}")
    assert client.get("/health").json()["partitions"] == f"error: missing: reading_{timezone.now():%Y_%m}"


def test_without_the_database_the_response_is_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("secret-host: Connection refused")

    monkeypatch.setattr(checks, "_probe_database", refuse)

    response = client.get("/health")

    assert response.status_code == 503
    answer = response.json()
    assert (answer["status"], answer["database"]) == ("error", "error: no answer")
    assert answer["beat"] == answer["workers"] == answer["partitions"] == "error: unknown without the database"


def test_a_broker_that_refuses_says_why_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "broker_read_url", "amqp://user:secret-word@127.0.0.1:1//")
    monkeypatch.setattr(app.conf, "broker_url", "amqp://user:secret-word@127.0.0.1:1//")
    with pytest.raises(BrokerOut, match="Connection refused") as refused:
        broker.queue_states(["temperature"])
    assert "secret-word" not in str(refused.value)


def test_units_that_could_not_be_evaluated_are_reported_without_the_error(client: Client) -> None:
    EvaluationFailureFactory(part="budget", failed_at=datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
    EvaluationFailureFactory(failed_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    answer = client.get("/health").json()
    assert answer["status"] == "degraded"
    assert answer["evaluation"] == "error: 2 storage units not evaluated since 2026-03-02 08:30 UTC, see the admin"


class TestForwardedHeaders:
    """A proxy in front that is not counted."""

    def visit(self, settings: Settings, *headers: str, proxy_count: int = 0) -> None:
        settings.PROXY_COUNT = proxy_count
        with suppress(MiddlewareNotUsed):
            ForwardedHeadersMiddleware(lambda request: HttpResponse())(
                RequestFactory().get("/", headers=dict.fromkeys(headers, "203.0.113.9"))
            )

    def warnings(self) -> list[str]:
        """Return what staff are told."""
        client = Client()
        client.force_login(StaffFactory())
        warnings: list[str] = client.get("/health").json()["warnings"]
        return warnings

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
    def test_staff_and_a_check_are_told_while_no_proxy_is_counted(self, settings: Settings, header: str) -> None:
        self.visit(settings, header)

        assert "Set PROXY_COUNT" in self.warnings()[0]
        assert [found.id for found in check_deployment(None)].count("temperature_site.W006") == 1

    def test_nothing_is_said_without_such_headers(self, settings: Settings) -> None:
        self.visit(settings)
        assert self.warnings() == []

    def test_nothing_is_said_once_the_proxy_is_counted(self, settings: Settings) -> None:
        self.visit(settings, "X-Forwarded-For")
        self.visit(settings, "X-Forwarded-For", proxy_count=1)
        assert self.warnings() == []
        assert ForwardedHeaders.objects.count() == 1

    def test_others_learn_nothing_of_the_configuration(self, settings: Settings, client: Client) -> None:
        self.visit(settings, "X-Forwarded-For")
        _, read = make_token(permissions=["read"])
        _, admin = make_token(permissions=["admin"])
        answers = {
            text: client.get("/health", headers={"Authorization": f"Bearer {text}"}).json()
            for text in (read, admin, "unknown")
        }
        client.force_login(UserFactory())
        assert [text for text, answer in answers.items() if "warnings" in answer] == [admin]
        assert "warnings" not in client.get("/health").json()

    def test_https_without_a_counted_proxy_is_a_deployment_warning(self, settings: Settings) -> None:
        settings.HTTPS = True
        assert "temperature_site.W005" in [found.id for found in check_deployment(None)]
        settings.PROXY_COUNT = 1
        assert "temperature_site.W005" not in [found.id for found in check_deployment(None)]


def test_a_process_without_the_database_is_live_but_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (client.get("/live").status_code, client.get("/ready").json()) == (200, {"ready": True})

    def refuse() -> None:
        raise OperationalError

    monkeypatch.setattr(checks, "_probe_database", refuse)
    monkeypatch.setattr("temperature_site.health.views.latest_report._cached", None)

    response = client.get("/ready", headers={"host": "10.0.0.1:8000"})
    assert (response.status_code, response.json()) == (503, {"ready": False})
    assert client.get("/live").status_code == 200
