"""The time after the last reading has one definition: on unit and alarm pages, in excursions and over the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alarms.excursions.until_now import count_until
from alarms.limits.versions import update_versions
from alarms.models import Alarm, Excursion, LimitVersion
from alarms.tests.evaluation import MINUTE, load
from alarms.tests.naive_excursions import naive_excursions
from customers.models import StorageUnit
from readings.statistics.statistics import statistics
from readings.statistics.time_outside import time_outside
from readings.storage.reading_batch import ReadingRow
from readings.time_ranges import TimeRange
from tests.api_clients import client_of
from tests.factories import MembershipFactory, SensorFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
QUARTER = 15 * MINUTE
KNOWN = timedelta(hours=10, minutes=30)


@pytest.fixture
def unit() -> StorageUnit:
    """Set to 5 °C ± 2 K, read every 15 minutes; a reading is valid for 45."""
    unit: StorageUnit = StorageUnitFactory(interval_seconds=900)
    return unit


@pytest.fixture
def began_at(unit: StorageUnit) -> datetime:
    """Return when 40 readings of 7.5 °C began, a week ago."""
    sensor, began_at = SensorFactory(storage_unit=unit), timezone.now() - WEEK
    rows = [ReadingRow(unit.pk, sensor.pk, began_at + number * QUARTER, 7.5) for number in range(40)]
    load(rows, timezone.now())
    return began_at


def test_the_api_counts_an_ongoing_excursion_until_now(unit: StorageUnit, began_at: datetime) -> None:
    (item,) = client_of(unit.facility.customer).get("/api/v1/excursions").json()["items"]
    assert item["ended_at"] is None
    assert item["outside_seconds"] == KNOWN.total_seconds()
    assert item["gap_seconds"] == pytest.approx((WEEK - KNOWN).total_seconds(), abs=60)
    assert item["area_kelvin_minutes"] == pytest.approx(0.5 * 630)
    assert item["mkt"] == 7.5


def test_the_pages_show_the_known_and_the_unknown_time(unit: StorageUnit, began_at: datetime, client: Client) -> None:
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    page = client.get(reverse("alarm", args=[Alarm.objects.get().public_id])).content.decode()
    assert '<dt>Confirmed time outside</dt><dd class="number">10 h 30 min</dd>' in page
    assert '<dt>No data for</dt><dd class="number">6 days 13 h</dd>' in page
    assert "<dt>End</dt><dd>Not known</dd>" in page
    page = client.get(reverse("unit", args=[unit.public_id]), {"start": began_at.isoformat()}).content.decode()
    assert '<dt>Time outside limits</dt><dd class="number">10 h 30 min</dd>' in page
    assert '<dt>No data for</dt><dd class="number">6 days 13 h</dd>' in page


def test_excursion_and_statistics_agree_at_every_moment(unit: StorageUnit, began_at: datetime) -> None:
    for minutes in (0, 10, 30, 45, 46, 600):
        now = began_at + 39 * QUARTER + minutes * MINUTE
        excursion = Excursion.objects.get()
        count_until(now, [excursion])
        outside = time_outside(unit.pk, TimeRange(began_at, now))
        assert outside is not None
        assert excursion.outside_seconds == pytest.approx(outside.outside.total_seconds(), abs=1e-6)
        unknown_seconds = statistics([unit.pk], began_at, now, now=now).unknown_seconds
        assert excursion.gap_seconds == pytest.approx(unknown_seconds, abs=1e-6)


def test_limits_that_change_after_the_last_reading_count_from_their_moment(unit: StorageUnit) -> None:
    sensor, began_at = SensorFactory(storage_unit=unit), timezone.now() - WEEK
    load([ReadingRow(unit.pk, sensor.pk, began_at, 7.5)], began_at)
    StorageUnit.objects.filter(pk=unit.pk).update(set_temperature=8.0)
    update_versions([unit.pk], at=began_at + 20 * MINUTE)
    excursion = Excursion.objects.get()
    count_until(began_at + 60 * MINUTE, [excursion])
    assert (excursion.outside_seconds, excursion.gap_seconds) == (20 * 60, 15 * 60)
    before, after = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    (naive,) = naive_excursions({(0, 1): 7.5}, [(-60, before.limits), (20, after.limits)], until=60)
    assert (naive.outside * 60, naive.gap * 60) == (excursion.outside_seconds, excursion.gap_seconds)


def test_an_excursion_that_has_ended_is_left_as_stored(
    unit: StorageUnit, began_at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    load([ReadingRow(unit.pk, unit.sensors.get().pk, began_at + 50 * QUARTER, 5.0)], timezone.now())
    excursion = Excursion.objects.get()
    with django_assert_num_queries(0):
        count_until(timezone.now(), [excursion])
    assert excursion.outside_seconds == KNOWN.total_seconds()
    assert excursion.gap_seconds == (50 * QUARTER - KNOWN).total_seconds()
