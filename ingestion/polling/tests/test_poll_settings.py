"""A poll follows the settings of its source: structure, units, credentials, mapping and defaults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings
from time_machine import Traveller

from customers.models import StorageUnit
from ingestion.models import Source
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import apply_changes
from ingestion.polling.fetch import FetchedBody
from ingestion.polling.request import request_source
from ingestion.polling.tests.polling import (
    ServedSource,
    asked_of,
    by_path,
    counts,
    csv_answer,
    json_answer,
    polled,
    polled_once,
)
from ingestion.polling.tests.scripted_server import Script, answer
from readings.models import Reading
from readings.units.scales import from_celsius

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
MEASURED_AT = datetime(2026, 11, 23, 10, 11, 11, 123456, tzinfo=UTC)
UNAVAILABLE = answer(status="503 Service Unavailable", headers="Retry-After: 120\r\n")


# The structure


STRUCTURE = json_answer('{"facilities": [{"id": "facility_A_1", "units": [{"id": "unit_A_1_1", "name": "Freezer"}]}]}')


def test_the_structure_is_read_again_a_day_later_and_not_before(
    source_of: Callable[..., ServedSource], noon: Traveller
) -> None:
    script = by_path({"/facilities": STRUCTURE, "/current": json_answer(json_body())})
    source = source_of(script, path="/current", structure_path="/facilities")
    for moment in (NOON, NOON + 23 * HOUR, NOON + 24 * HOUR):
        noon.move_to(moment)
        polled(source)
    assert asked_of(source.server) == ["/facilities", "/current", "/current", "/facilities", "/current"]


def test_another_structure_is_read_by_the_next_poll(source_of: Callable[..., ServedSource]) -> None:
    script = by_path({"/facilities": STRUCTURE, "/plants": STRUCTURE, "/current": json_answer(json_body())})
    source = source_of(script, path="/current", structure_path="/facilities")
    polled(source)

    source.structure_url = source.structure_url.replace("/facilities", "/plants")
    source.save(update_fields=["structure_url"])
    apply_changes(source, {"structure_url"})
    polled(source)

    assert asked_of(source.server) == ["/facilities", "/current", "/plants", "/current"]


@pytest.mark.parametrize(
    "structure",
    [answer(status="404 Not Found"), json_answer("{}"), json_answer("[")],
    ids=["none", "no list", "broken"],
)
def test_an_unreadable_structure_is_noted_and_does_not_stop_the_poll(
    source_of: Callable[..., ServedSource], structure: Script
) -> None:
    script = by_path({"/facilities": structure, "/current": json_answer(json_body(json_row()))})
    source = source_of(script, path="/current", structure_path="/facilities")

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (1, 0, 0, 0))
    assert delivery.error_message.startswith("The structure could not be read: ")
    assert source.cursor_at == MEASURED_AT
    assert (source.failures_in_a_row, source.structure_read_at) == (0, None)


# One unit at a time


def test_a_failing_unit_is_noted_and_the_others_are_stored(source_of: Callable[..., ServedSource]) -> None:
    rooms = {"/unit/one": json_answer('{"temp": 0, "degrees": "F"}'), "/unit/three": json_answer('{"temp": 45}')}
    source = source_of(by_path(rooms), path="/unit/{unit}", unit_codes=["one", "two", "three"])

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 0))
    assert delivery.error_message == "Unit two: The server answered with status 404."
    assert sorted(StorageUnit.objects.values_list("unit_code", flat=True)) == ["one", "three"]
    assert source.failures_in_a_row == 0


def test_hanging_units_do_not_keep_the_others_from_being_stored(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll that reaches its time limit stores what it has received; the next one begins with any of the units."""

    def request_until_the_limit(source: Source, url: str, *args: Any) -> FetchedBody:
        if url.endswith("two"):
            raise SoftTimeLimitExceeded
        return request_source(source, url, *args)

    monkeypatch.setattr("ingestion.polling.http_poll.request_source", request_until_the_limit)
    monkeypatch.setattr("ingestion.polling.http_poll.random.randrange", lambda count: count - 1)
    rooms = {"/one": json_answer('{"temp": 1}'), "/three": json_answer('{"temp": 3}')}
    source = source_of(by_path(rooms), path="/{unit}", unit_codes=["one", "two", "three"])

    delivery = polled_once(source)
    assert (delivery.status, counts(delivery)) == ("partial", (1, 0, 0, 0))
    assert delivery.error_message == "The time of the poll was over before these units could be read: two, three."
    assert source.failures_in_a_row == 0

    Source.objects.update(last_duration_seconds=61)
    polled(source)
    assert asked_of(source.server) == ["/one", "/three", "/one"]


def test_a_poll_fails_that_reaches_its_limit_before_any_unit_is_read(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reach_limit(*_: object) -> FetchedBody:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("ingestion.polling.http_poll.request_source", reach_limit)
    source = source_of(UNAVAILABLE, path="/{unit}", unit_codes=["one", "two"])

    assert polled_once(source).error_reason == "timeout"


def test_retry_after_of_any_unit_delays_the_next_poll(source_of: Callable[..., ServedSource]) -> None:
    """Whichever unit is asked for: requests beyond a server's limit only make it refuse more."""
    busy = answer(status="429 Too Many Requests", headers="Retry-After: 7200\r\n")
    rooms = {"/unit/one": json_answer('{"temp": 0, "degrees": "F"}'), "/unit/two": busy, "/unit/three": UNAVAILABLE}
    source = source_of(by_path(rooms), path="/unit/{unit}", unit_codes=["one", "two", "three"])

    assert counts(polled_once(source)) == (1, 0, 0, 0)
    assert 2 * HOUR <= source.next_due_at - NOON <= 2.5 * HOUR

    rooms.pop("/unit/one")
    polled(source)
    assert source.failures_in_a_row == 1
    assert 2 * HOUR <= source.next_due_at - NOON <= 2.5 * HOUR


def test_a_failing_unit_holds_the_cursor_back(source_of: Callable[..., ServedSource]) -> None:
    script = by_path({"/one": json_answer(json_body(json_row()))})
    source = source_of(script, path="/{unit}?hours={hours}", unit_codes=["one", "two"], cursor_at=NOON - 5 * HOUR)
    polled(source)
    assert source.cursor_at == NOON - 5 * HOUR


def test_a_poll_fails_if_every_unit_fails(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(UNAVAILABLE, path="/unit/{unit}", unit_codes=["one", "two"])
    assert polled_once(source).error_reason == "http_status"
    assert source.failures_in_a_row == 1


def test_a_url_with_a_unit_placeholder_requires_unit_codes(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer("{}"), path="/unit/{unit}")
    assert polled_once(source).error_reason == "source_settings"
    assert source.last_error == "The URL contains {unit}. Enter the source's unit codes."


def test_a_units_code_is_quoted_in_its_url(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer('{"temp": 4}'), path="/unit/{unit}", unit_codes=["Cold Room {1}/2"])
    polled(source)
    assert source.server.heads[0].startswith(b"GET /unit/Cold%20Room%20%7B1%7D%2F2 HTTP")
    assert StorageUnit.objects.get().unit_code == "Cold Room {1}/2"


# Credentials


@pytest.mark.parametrize(
    ("kind", "name", "sent"),
    [
        ("basic", "anna", b"\r\nAuthorization: Basic YW5uYTpodW50ZXIy\r\n"),
        ("bearer", "", b"\r\nAuthorization: Bearer hunter2\r\n"),
        ("header", "X-Api-Key", b"\r\nX-Api-Key: hunter2\r\n"),
        ("query", "code", b"GET /current?code=hunter2 HTTP"),
    ],
)
def test_requests_use_the_credentials_and_deliveries_hide_them(
    source_of: Callable[..., ServedSource], kind: str, name: str, sent: bytes
) -> None:
    source = source_of(
        json_answer(json_body(json_row())),
        path="/current",
        credentials_kind=kind,
        credentials_name=name,
        credentials_secret="hunter2",
    )
    delivery = polled_once(source)
    assert sent in source.server.heads[0]
    assert "hunter2" not in delivery.source_url


def test_the_structure_is_requested_with_the_credentials(source_of: Callable[..., ServedSource]) -> None:
    script = by_path({"/facilities": STRUCTURE, "/current": json_answer(json_body())})
    source = source_of(
        script,
        path="/current",
        structure_path="/facilities",
        credentials_kind="bearer",
        credentials_secret="hunter2",
    )
    polled(source)
    assert all(b"Bearer hunter2" in head for head in source.server.heads)


def test_credentials_under_a_lost_key_are_reported_without_a_request(
    source_of: Callable[..., ServedSource], settings: Settings
) -> None:
    source = source_of(json_answer(json_body()), credentials_kind="bearer", credentials_secret="hunter2")
    settings.SOURCE_CREDENTIALS_KEYS = ["another key than the one it was stored under"]
    assert polled_once(source).error_reason == "source_settings"
    assert "SOURCE_CREDENTIALS_KEYS" in source.last_error
    assert source.server.heads == []


# What a source's configuration says


def test_other_field_names_are_read_by_the_mapping(source_of: Callable[..., ServedSource]) -> None:
    body = (
        "Bericht vom 1.7.2026\r\n"
        "Raum;Messstelle;Zeitpunkt;Wert °F;Güte\r\n"
        "Kühlraum Süd;S1;01.07.2026 14:30;39,25;0,97\r\n"
        "Kühlraum Süd;S1;01.07.2026 14:45;---;0,5\r\n"
    ).encode("latin-1")
    source = source_of(
        csv_answer(body),
        encoding="latin-1",
        delimiter=";",
        decimal_mark=",",
        skip_until_header=True,
        unit_field="Raum",
        sensor_field="Messstelle",
        time_field="Zeitpunkt",
        time_format="%d.%m.%Y %H:%M",
        time_zone="Europe/Berlin",
        temperature_field="Wert °F",
        scale="F",
        quality_field="Güte",
        facility_field="=lager",
        null_values=["---"],
    )

    assert counts(polled_once(source)) == (2, 0, 0, 0)

    first, second = Reading.objects.select_related("storage_unit__facility", "sensor").order_by("recorded_at")
    assert first.recorded_at == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert (from_celsius(first.temperature_c, first.scale), first.scale) == (39.25, "F")
    assert (first.quality_score, second.quality_score) == (0.97, 0.5)
    assert second.temperature_c is None
    assert (first.storage_unit.unit_code, first.sensor.sensor_code) == ("Kühlraum Süd", "S1")
    assert first.storage_unit.facility.facility_code == "lager"


def test_rows_without_a_unit_or_facility_belong_to_the_sources_defaults(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(
        json_answer('[{"temperature": 4.0, "timestamp": "2026-11-23T10:00:00"}]'),
        default_unit_code="fridge",
        default_facility_code="shop",
    )
    polled(source)
    unit = StorageUnit.objects.select_related("facility").get()
    assert (unit.unit_code, unit.facility.facility_code) == ("fridge", "shop")
