"""The page of a storage unit: the range it shows, as statistics, as a table, as a series and as CSV."""

from __future__ import annotations

import codecs
import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import StorageUnit
from readings.models import SensorClock
from readings.units.scales import to_celsius
from tests.factories import (
    MembershipFactory,
    SensorFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
    store_readings,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

PAGES = ["unit", "unit-series", "unit-csv"]
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def member(client: Client, unit: StorageUnit) -> Client:
    """Return a client signed in as a viewer of the unit's customer."""
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    return client


def address(unit: StorageUnit, page: str = "unit") -> str:
    return reverse(page, args=[unit.public_id])


def texts_of(response: PageResponse) -> list[str]:
    return [text for _, text in response.context["table"].rows]


def test_a_member_sees_properties_statistics_and_readings_in_local_time(member: Client, unit: StorageUnit) -> None:
    recorded_at = timezone.now().replace(microsecond=0) - timedelta(minutes=2)
    store_reading(unit, 4.875, recorded_at)
    response = member.get(address(unit))
    text = response.content.decode()
    assert f"{recorded_at.astimezone(unit.facility.zone):%H:%M:%S}" in text
    assert "Asia/Kolkata" in text
    assert "4.875\N{NO-BREAK SPACE}°C" in text
    assert dict(response.context["statistics"])["Readings"] == "1"
    assert dict(response.context["statistics"])["Time outside limits"] == "none"


def test_readings_have_the_digits_and_the_scale_that_the_sensor_sent(member: Client, unit: StorageUnit) -> None:
    store_reading(unit, to_celsius(35.5, "F"), timezone.now() - timedelta(minutes=2), scale="F")

    response = member.get(address(unit))

    text = response.content.decode()
    assert 'sent as <span class="number">35.5\N{NO-BREAK SPACE}°F</span>' in text
    assert "1.94\N{NO-BREAK SPACE}°C" in text
    assert texts_of(response) == ["35.5\N{NO-BREAK SPACE}°F"]
    assert "1.94444" not in text + member.get(reverse("overview")).content.decode()


def test_durations_of_a_unit_are_not_cut_to_whole_hours(member: Client, unit: StorageUnit) -> None:
    unit.interval_seconds = 30 * 60
    unit.save()

    properties = dict(member.get(address(unit)).context["properties"])

    assert (properties["Reading interval"], properties["Readings valid for"]) == ("30 min", "1 h 30 min")


def test_a_unit_without_readings_has_a_page(member: Client, unit: StorageUnit) -> None:
    for query in ({}, {"range": "all"}):
        response = member.get(address(unit), query)
        assert response.status_code == 200
        assert "No readings yet." in response.content.decode()


def test_the_page_leads_to_the_units_limits_for_those_who_may_see_them(client: Client, unit: StorageUnit) -> None:
    customer = unit.facility.customer
    limits = reverse("settings-unit-limits", args=[customer.public_id, unit.public_id])
    client.force_login(MembershipFactory(customer=customer).user)
    assert limits in client.get(address(unit)).content.decode()
    _, text = make_token(customer, permissions=["read"], units=[unit])
    client.logout()
    client.post(reverse("login"), {"username": customer.customer_code, "password": text})
    page = client.get(address(unit))
    assert page.status_code == 200
    assert limits not in page.content.decode()


def test_the_page_is_below_the_facilities(member: Client, unit: StorageUnit) -> None:
    for name in ("unit", "unit-history"):
        page = member.get(address(unit, name)).content.decode()
        assert f'<a href="{reverse("facilities")}">Facilities</a> › ' in page


@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_unit_is_not_found(client: Client, unit: StorageUnit, page: str) -> None:
    client.force_login(MembershipFactory().user)
    assert client.get(address(unit, page)).status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_anonymous_users_are_sent_to_the_sign_in_page(client: Client, unit: StorageUnit, page: str) -> None:
    assert client.get(address(unit, page)).status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_only_get_is_allowed(member: Client, unit: StorageUnit, page: str) -> None:
    assert member.post(address(unit, page)).status_code == 405


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        {"range": "2d"},
        {"start": "yesterday"},
        {"start": "2026-03-02T10:00", "end": "2026-03-02T09:00"},
        {"start": "2026-03-02T10:00", "end": "2026-03-02T10:00"},
        {"start": "1969-01-01T00:00"},
        {"end": "9999-12-31"},
    ],
)
def test_invalid_ranges_are_rejected(member: Client, unit: StorageUnit, page: str, query: dict[str, str]) -> None:
    assert member.get(address(unit, page), query).status_code == 400


def test_the_series_covers_the_requested_range(member: Client, unit: StorageUnit) -> None:
    now = timezone.now()
    store_reading(unit, 4.0, now - 7 * HOUR)
    store_reading(unit, 5.0, now - timedelta(minutes=1))
    assert member.get(address(unit, "unit-series"), {"range": "6h"}).json()["average"] == [5.0]
    assert member.get(address(unit, "unit-series")).json()["average"] == [4.0, 5.0]


def test_all_starts_with_the_first_day(member: Client, unit: StorageUnit) -> None:
    store_reading(unit, 4.0, timezone.now() - timedelta(days=500))
    assert member.get(address(unit, "unit-series"), {"range": "all"}).json()["average"] == [4.0]


def test_times_without_an_offset_are_local_and_dates_are_whole_days(member: Client, unit: StorageUnit) -> None:
    store_readings(unit, [1.0, 2.0, 3.0], start=datetime(2026, 3, 1, 18, 29, tzinfo=UTC), every=12 * HOUR)
    series = address(unit, "unit-series")
    # 00:00 in Kolkata is 18:30 UTC of the day before.
    for day in ("2026-03-02", "20260302", "2026-W10-1"):
        assert member.get(series, {"start": day, "end": day}).json()["average"] == [2.0, 3.0]
    assert member.get(series, {"start": "2026-03-01T23:59", "end": "2026-03-02T00:00"}).json()["average"] == [1.0]
    assert member.get(series, {"start": "2026-03-01T18:29Z", "end": "2026-03-01T18:30Z"}).json()["average"] == [1.0]


def test_pages_of_readings_are_complete_and_newest_first(member: Client, unit: StorageUnit) -> None:
    store_readings(unit, [float(number) for number in range(30)], start=START)
    store_readings(unit, [100.0 + number for number in range(30)], start=START, sensor=SensorFactory(storage_unit=unit))
    query = {"start": "2026-03-01T00:00Z", "end": "2026-03-02T00:00Z"}
    first = member.get(address(unit), query)
    second = member.get(address(unit), query | {"cursor": first.context["table"].older})
    third = member.get(address(unit), query | {"cursor": second.context["table"].older})
    texts = [*texts_of(first), *texts_of(second), *texts_of(third)]
    assert [len(texts_of(page)) for page in (first, second, third)] == [25, 25, 10]
    assert len(set(texts)) == 60
    assert (first.context["table"].newer, third.context["table"].older) == ("", "")
    back = member.get(address(unit), query | {"cursor": third.context["table"].newer})
    assert texts_of(back) == texts_of(second)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00"])
def test_an_invalid_cursor_is_not_found(member: Client, unit: StorageUnit, cursor: str) -> None:
    assert member.get(address(unit), {"cursor": cursor}).status_code == 404


def test_the_export_covers_exactly_the_range(member: Client, unit: StorageUnit) -> None:
    store_readings(unit, [1.5, None, 2.5, 3.5], start=START, every=HOUR)
    query = {"start": "2026-03-01T01:00Z", "end": "2026-03-01T03:00Z"}
    response = member.get(address(unit, "unit-csv"), query)
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert [(row["recorded_at"], row["temperature"]) for row in rows] == [
        ("2026-03-01T02:00:00+00:00", "2.5"),
        ("2026-03-01T01:00:00+00:00", ""),
    ]
    assert 'filename="' in response.headers["Content-Disposition"]
    assert "cold-room-from-2026-03-01.csv" in response.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("facility", "unit", "name"),
    [
        ("Склад", "Холодильник 1", "склад-холодильник-1-from-2026-03-01.csv"),
        ("倉庫", "❄", "倉庫-u7-from-2026-03-01.csv"),
        ("Кладова", "–", "кладова-u7-from-2026-03-01.csv"),
    ],
)
def test_exports_are_named_in_any_script(client: Client, facility: str, unit: str, name: str) -> None:
    stored = StorageUnitFactory(facility__name=facility, name=unit, unit_code="u7")
    client.force_login(MembershipFactory(customer=stored.facility.customer).user)

    response = client.get(address(stored, "unit-csv"), {"start": "2026-03-01", "end": "2026-03-02"})

    _, _, encoded = response.headers["Content-Disposition"].partition("filename*=utf-8''")
    assert unquote(encoded) == name


def test_spreadsheets_recognise_the_encoding_of_an_export(client: Client) -> None:
    unit = StorageUnitFactory(name="Kühlraum")
    store_reading(unit, 5.0, START)
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)

    content = client.get(address(unit, "unit-csv"), {"start": "2026-03-01", "end": "2026-03-02"}).getvalue()

    assert content.startswith(codecs.BOM_UTF8 + b"id,")
    [row] = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert row["unit_name"] == "Kühlraum"


@pytest.mark.parametrize(
    ("size", "text"), [(328.0, "328 l"), (12.3, "12.3 l"), (1_500_000.0, "1500000 l"), (1_234_567.5, "1234567.5 l")]
)
def test_the_size_of_a_unit_has_all_its_digits(member: Client, unit: StorageUnit, size: float, text: str) -> None:
    StorageUnit.objects.filter(pk=unit.pk).update(size_value=size, size_unit="l")

    assert dict(member.get(address(unit)).context["properties"])["Size"] == text


@pytest.mark.parametrize("target", ["range", "latest"])
def test_htmx_gets_only_the_requested_part(member: Client, unit: StorageUnit, target: str) -> None:
    text = member.get(address(unit), headers={"HX-Request": "true", "HX-Target": target}).content.decode()
    assert text.startswith(f'<section id="{target}"')


def test_statistics_include_time_outside_limits(member: Client, unit: StorageUnit) -> None:
    store_readings(unit, [8.0, 11.0, 5.0], start=START)
    summaries = dict(
        member.get(address(unit), {"start": "2026-03-01T00:00Z", "end": "2026-03-02T00:00Z"}).context["statistics"]
    )
    assert summaries["Time outside limits"] == "30 min, critical 15 min"


TOO_MUCH = "There were too many excursions in this period"


def test_too_much_time_outside_is_explained_also_if_the_limits_were_removed_since(
    member: Client, unit: StorageUnit
) -> None:
    store_readings(unit, [20.0] * 24 * 40, start=START, every=HOUR)
    unit.set_temperature = None
    unit.save()

    response = member.get(address(unit), {"start": "2026-03-01", "end": "2026-04-10"})

    assert dict(response.context["statistics"])["Time outside limits"] == "–"
    assert TOO_MUCH in response.content.decode()


def test_a_period_in_the_future_has_no_excursions(member: Client, unit: StorageUnit) -> None:
    store_reading(unit, 5.0, timezone.now() - MINUTE)
    later = timezone.now() + HOUR

    response = member.get(address(unit), {"start": later.isoformat(), "end": (later + HOUR).isoformat()})

    assert dict(response.context["statistics"])["Time outside limits"] == "–"
    assert TOO_MUCH not in response.content.decode()


@pytest.mark.parametrize("name", ["6h", "24h", "7d", "30d", "1y", "all"])
def test_the_number_of_queries_does_not_grow_with_readings(
    member: Client, unit: StorageUnit, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    store_readings(unit, [5.0, 20.0] * 200, start=now - timedelta(days=100), every=6 * HOUR)
    # Of which one asks whether the unit could be evaluated, and one for its sensors.
    with django_assert_max_num_queries(21):
        assert member.get(address(unit), {"range": name}).status_code == 200
    # Session, user with roles, unit, points, gaps; the first day for all there is.
    with django_assert_max_num_queries(6):
        assert member.get(address(unit, "unit-series"), {"range": name}).status_code == 200


class TestSensors:
    def test_the_page_shows_the_drift_of_each_clock(self, member: Client, unit: StorageUnit) -> None:
        for code, drift_seconds in [("fast", 72_000.0), ("slow", -330.0), ("right", 0.0)]:
            sensor = SensorFactory(storage_unit=unit, sensor_code=code)
            SensorClock.objects.create(
                sensor=sensor, storage_unit=unit, drift_seconds=drift_seconds, measured_at=timezone.now()
            )
        SensorFactory(storage_unit=unit, sensor_code="unknown")
        sensors = member.get(address(unit)).context["sensors"]
        assert [(each.sensor_code, each.drift_text) for each in sensors] == [
            ("fast", "20 h ahead"),
            ("right", "on time"),
            ("slow", "5 min 30 s behind"),
            ("unknown", "not measured"),
        ]

    def test_the_page_counts_readings_that_are_dated_ahead(self, member: Client, unit: StorageUnit) -> None:
        now = timezone.now()
        store_readings(unit, [5.0] * 3, start=now - MINUTE, every=HOUR, received_at=now)
        response = member.get(address(unit))
        assert [each.future_reading_count for each in response.context["sensors"]] == [2]
        assert "2 readings, in effect when the time has come" in response.content.decode()
        assert response.context["latest"].recorded_at == now - MINUTE
