"""A poll requests, stores, moves the cursor and schedules the next poll; failures are logged and retried."""

from __future__ import annotations

import gzip
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from time_machine import Traveller

from core.leases import ClaimLost
from customers.models import StorageUnit
from ingestion.models import Delivery, Source
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import claim_due, claim_now, next_due, pause, poll_now
from ingestion.polling.fetch import FetchedBody
from ingestion.polling.request import request_source
from ingestion.polling.tests.polling import ServedSource, counts, in_turn, json_answer, polled, polled_once
from ingestion.polling.tests.scripted_server import Script, Visit, answer
from ingestion.tasks import poll_source, send_due_sources
from readings.models import Reading
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
MEASURED_AT = datetime(2026, 11, 23, 10, 11, 11, 123456, tzinfo=UTC)
UNAVAILABLE = answer(status="503 Service Unavailable", headers="Retry-After: 120\r\n")
ONE_ROW = json_answer(json_body(json_row()))


# When all goes well


def test_a_poll_stores_readings_and_moves_the_cursor_to_the_newest_one(source_of: Callable[..., ServedSource]) -> None:
    older = json_row(timestamp="2026-11-23T10:00:00", temperature=-74.0)
    source = source_of(json_answer(json_body(json_row(), older)))

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("success", (2, 0, 0, 0))
    assert source.cursor_at == MEASURED_AT
    assert [each.temperature_c for each in Reading.objects.order_by("recorded_at")] == [-74.0, -74.31]
    assert (source.last_success_at, source.last_polled_at, source.last_error) == (NOON, NOON, "")


@pytest.mark.parametrize("script", [ONE_ROW, UNAVAILABLE])
def test_a_poll_that_is_asked_for_during_another_one_follows_it(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch, noon: Traveller, script: Script
) -> None:
    """The running one may have been planned with settings that were changed since."""

    def ask_meanwhile(source: Source, *args: Any) -> FetchedBody:
        noon.shift(timedelta(seconds=5))
        poll_now(Source.objects.filter(pk=source.pk))
        return request_source(source, *args)

    source = source_of(script, interval_seconds=86_400)
    monkeypatch.setattr("ingestion.polling.http_poll.request_source", ask_meanwhile)
    polled_once(source)
    assert [claim.row_id for claim in claim_due()] == [source.pk]


def test_a_delivery_logs_the_url_the_period_and_the_size(source_of: Callable[..., ServedSource]) -> None:
    body = json_body(json_row())
    source = source_of(json_answer(body), cursor_at=NOON - HOUR, overlap_seconds=900)

    delivery = polled_once(source)

    assert (delivery.customer, delivery.source, delivery.ingestion_type) == (source.customer, source, "api")
    assert (delivery.since, delivery.until) == (NOON - HOUR - timedelta(minutes=15), NOON)
    assert delivery.source_url == f"{source.server.url}/current?hours=1.25"
    assert delivery.size_bytes == len(body)


def test_the_next_poll_is_due_on_the_sources_grid_even_after_a_late_poll(
    source_of: Callable[..., ServedSource], noon: Traveller
) -> None:
    source = source_of(json_answer(json_body()), interval_seconds=300)
    polled(source)
    first_due = source.next_due_at
    assert first_due == next_due(source.pk, 300, NOON)

    noon.move_to(first_due + timedelta(seconds=299))
    polled(source)
    assert source.next_due_at == first_due + timedelta(seconds=300)


def test_a_poll_releases_its_claim(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body()))
    polled(source)
    assert (source.claim_id, source.lease_until) == (None, None)


def test_a_response_without_readings_does_not_move_the_cursor(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body()), cursor_at=NOON - HOUR)
    assert polled_once(source).status == "success"
    assert source.cursor_at == NOON - HOUR


def test_a_reading_from_a_fast_clock_moves_the_cursor_no_further_than_now(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(json_answer(json_body(json_row(timestamp="2026-11-23T20:00:00"))))
    polled(source)
    assert source.cursor_at == NOON


def test_an_old_reading_does_not_move_the_cursor_back(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())), cursor_at=NOON - timedelta(minutes=1))
    polled(source)
    assert source.cursor_at == NOON - timedelta(minutes=1)


def test_polling_the_same_data_twice_stores_nothing_the_second_time(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())))
    polled(source)
    assert counts(polled_once(source)) == (0, 1, 0, 0)


# When it does not


def test_a_failed_poll_is_logged_with_its_reason_and_keeps_the_cursor(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(answer(status="500 Internal Server Error"), cursor_at=NOON - HOUR)

    delivery = polled_once(source)

    assert (delivery.status, delivery.error_reason) == ("failure", "http_status")
    assert delivery.error_message == "The server answered with status 500."
    assert (source.cursor_at, source.last_success_at) == (NOON - HOUR, None)
    assert (source.failures_in_a_row, source.last_error) == (1, delivery.error_message)
    assert source.claim_id is None


def test_consecutive_failures_are_backed_off_exponentially(
    source_of: Callable[..., ServedSource], noon: Traveller
) -> None:
    source = source_of(answer(status="404 Not Found"), interval_seconds=300)
    waits = []
    for _ in range(5):
        polled(source)
        waits.append((source.next_due_at - timezone.now()).total_seconds())
        noon.move_to(source.next_due_at)

    assert source.failures_in_a_row == 5
    for wait, usual in zip(waits, [15, 30, 60, 120, 240], strict=True):
        assert 0.75 * usual <= wait <= 1.25 * usual


def test_a_success_resets_the_failures(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(in_turn(UNAVAILABLE, json_answer(json_body())))
    polled(source)
    polled(source)
    assert (source.failures_in_a_row, source.last_error) == (0, "")
    assert source.next_due_at == next_due(source.pk, source.interval_seconds, NOON)


def test_retry_after_delays_the_next_poll(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(UNAVAILABLE, interval_seconds=60)
    polled(source)
    assert timedelta(seconds=120) <= source.next_due_at - NOON <= timedelta(seconds=150)


def test_a_refused_connection_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = SourceFactory(url=f"http://127.0.0.1:{port}/current")
    assert polled_once(source).error_reason == "connection_refused"


def test_an_address_outside_the_allowed_networks_is_not_contacted(
    source_of: Callable[..., ServedSource], settings: Settings
) -> None:
    settings.SOURCE_ALLOWED_NETWORKS = []
    source = source_of(json_answer(json_body(json_row())))

    assert polled_once(source).error_reason == "address_not_allowed"
    assert source.server.heads == []


def test_an_internal_error_is_shown_with_the_source_and_raised(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("ingestion.polling.http_poll.parse_body", broken)
    source = source_of(json_answer(json_body(json_row())))

    with pytest.raises(ZeroDivisionError):
        polled(source)
    assert Delivery.objects.get().error_reason == "internal_error"
    assert source.last_error == "ZeroDivisionError in this system. See the log for details."
    assert (source.failures_in_a_row, source.claim_id) == (1, None)


def test_invalid_settings_are_shown_with_the_source(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())))
    Source.objects.update(time_zone="Europe/Atlantis")
    assert polled_once(source).error_reason == "source_settings"
    assert "Europe/Atlantis" in source.last_error


# When somebody else has taken over


@pytest.mark.django_db(transaction=True)
def test_a_poll_whose_source_is_paused_stores_and_logs_nothing(source_of: Callable[..., ServedSource]) -> None:
    def pause_then_answer(visit: Visit) -> None:
        try:
            pause(Source.objects.all())
        finally:
            connection.close()  # this thread's own
        json_answer(json_body(json_row()))(visit)

    source = source_of(pause_then_answer)

    with pytest.raises(ClaimLost):
        polled(source)
    assert not Reading.objects.exists()
    assert not Delivery.objects.exists()
    assert not StorageUnit.objects.exists()
    assert (source.is_paused, source.cursor_at, source.failures_in_a_row) == (True, None, 0)


@pytest.mark.django_db(transaction=True)
def test_a_failure_after_losing_the_claim_is_not_counted(
    source_of: Callable[..., ServedSource],
) -> None:
    def pause_then_fail(visit: Visit) -> None:
        try:
            pause(Source.objects.all())
        finally:
            connection.close()
        UNAVAILABLE(visit)

    source = source_of(pause_then_fail)

    with pytest.raises(ClaimLost):
        polled(source)
    assert (source.failures_in_a_row, Delivery.objects.count()) == (0, 0)


def test_a_message_with_an_old_claim_is_ignored(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())))
    poll_source(source.pk, str(uuid.uuid4()))
    assert source.server.heads == []


def test_a_repeated_message_polls_once(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())))
    claim = claim_now(source)
    for _ in range(2):
        poll_source(claim.row_id, str(claim.claim_id))
    assert len(source.server.heads) == 1


def test_due_sources_are_sent_by_id_and_slow_ones_to_the_slow_queue(settings: Settings) -> None:
    quick = SourceFactory(next_due_at=NOON)
    slow = SourceFactory(next_due_at=NOON, failures_in_a_row=1)

    with current_app.connection_for_read() as broker:
        for queue in (settings.CELERY_TASK_DEFAULT_QUEUE, settings.SLOW_QUEUE):
            broker.SimpleQueue(queue).clear()  # of what other tests have sent in this process
        send_due_sources()
        for source, queue in ((quick, settings.CELERY_TASK_DEFAULT_QUEUE), (slow, settings.SLOW_QUEUE)):
            message = broker.SimpleQueue(queue).get_nowait()
            source.refresh_from_db()
            own = [source.pk, str(source.claim_id)]
            assert message.payload[0] == (own if source == slow else [[own]])
            # The broker counts the seconds: an instant would be by the sender's clock.
            assert message.headers["expires"] is None
            assert message.properties["expiration"] == str(settings.POLL_LEASE_SECONDS * 1000)


# What a failed response said


SECRET = "s3cret/of+the=source"
ECHO = (
    f'{{"error": "no such key", "key": "{SECRET}", "header": "Authorization: Bearer abcdef123456", '
    f'"url": "http://x/?api_key=0815&hours=1", "session_id": "xyz"}}'
)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answer(ECHO.encode(), status="403 Forbidden"), "http_status"),
        (answer(gzip.compress(ECHO.encode()), status="500 Oops", headers="Content-Encoding: gzip\r\n"), "http_status"),
        (json_answer("<html>" + ECHO), "html_instead_of_data"),
    ],
    ids=["status", "compressed", "unreadable"],
)
def test_a_failed_poll_keeps_the_start_of_the_response_without_secrets(
    source_of: Callable[..., ServedSource], script: Script, reason: str
) -> None:
    source = source_of(
        script, credentials_kind="header", credentials_name="X-Api-Key", credentials_secret=SECRET, structure_url=""
    )

    delivery = polled_once(source)

    assert (delivery.status, delivery.error_reason) == ("failure", reason)
    assert "no such key" in delivery.response_excerpt
    assert len(delivery.response_excerpt) <= 300
    for secret in (SECRET, "abcdef123456", "0815", "xyz"):
        assert secret not in delivery.response_excerpt
        assert secret not in source.last_error


def test_only_the_first_300_characters_are_kept(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(answer("ü".encode() * 5_000, status="500 Oops"))

    assert polled_once(source).response_excerpt == "ü" * 300


def test_a_secret_in_two_halves_is_not_kept(source_of: Callable[..., ServedSource]) -> None:
    body = ("x" * 290 + " " + SECRET + " and more").encode()
    source = source_of(answer(body, status="500 Oops"), credentials_kind="bearer", credentials_secret=SECRET)

    assert polled_once(source).response_excerpt == "x" * 290 + " *** and m"


def test_a_successful_poll_keeps_none(source_of: Callable[..., ServedSource]) -> None:
    assert polled_once(source_of(json_answer(json_body(json_row())))).response_excerpt == ""
