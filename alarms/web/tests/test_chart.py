"""What the chart of a unit shows besides its readings: excursions, and the limits that were in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.models import LimitVersion
from alarms.web.chart import limits_of_periods
from customers.models import StorageUnit
from readings.series.chart import milliseconds
from readings.time_ranges import TimeRange
from tests.alarm_factories import ExcursionFactory
from tests.factories import MembershipFactory, StorageUnitFactory

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = TimeRange(NOON - 12 * HOUR, NOON + 12 * HOUR)


def version(valid_from: datetime, **limits_c: float) -> LimitVersion:
    return LimitVersion(valid_from=valid_from, gap_limit_seconds=2_700, interval_seconds=900, **limits_c)


class TestLimitsOfPeriods:
    def test_each_part_of_the_range_has_the_limits_then_in_force(self) -> None:
        versions = [
            version(NOON - 100 * HOUR, low_warning_c=2.0, high_warning_c=8.0),
            version(NOON, low_warning_c=2.0, high_warning_c=6.0),
        ]
        assert limits_of_periods(versions, DAY, "C") == [
            {
                "start": milliseconds(DAY.start),
                "end": milliseconds(NOON),
                "warning": [2.0, 8.0],
                "critical": [None, None],
            },
            {
                "start": milliseconds(NOON),
                "end": milliseconds(DAY.end),
                "warning": [2.0, 6.0],
                "critical": [None, None],
            },
        ]

    def test_a_version_with_the_same_limits_draws_no_step(self) -> None:
        versions = [version(NOON - 100 * HOUR, high_critical_c=10.0), version(NOON, high_critical_c=10.0)]
        (period,) = limits_of_periods(versions, DAY, "F")
        assert (period["start"], period["end"]) == (milliseconds(DAY.start), milliseconds(DAY.end))
        assert period["critical"] == [None, 50.0]

    def test_versions_outside_the_range_are_left_out(self) -> None:
        versions = [version(NOON - 100 * HOUR), version(DAY.start, high_warning_c=8.0), version(DAY.end)]
        assert [period["warning"] for period in limits_of_periods(versions, DAY, "C")] == [[None, 8.0]]


@pytest.mark.django_db
class TestData:
    @pytest.fixture
    def unit(self) -> StorageUnit:
        return StorageUnitFactory()

    @pytest.fixture
    def viewer(self, client: Client, unit: StorageUnit) -> Client:
        client.force_login(MembershipFactory(customer=unit.facility.customer).user)
        return client

    def test_excursions_in_the_requested_range_have_times_in_milliseconds(
        self, viewer: Client, unit: StorageUnit
    ) -> None:
        now = timezone.now().replace(microsecond=0)
        past = ExcursionFactory(storage_unit=unit, started_at=now - 30 * HOUR, ended_at=now - 20 * HOUR)
        ExcursionFactory(storage_unit=unit, started_at=now - 60 * HOUR, ended_at=now - 50 * HOUR)
        ExcursionFactory(storage_unit=unit, started_at=now - HOUR, severity="warning")
        ExcursionFactory(storage_unit=unit, started_at=now - 2 * HOUR, kind="budget")
        data = viewer.get(reverse("unit-excursions", args=[unit.public_id]), {"range": "24h"}).json()
        lasting, ended = data["excursions"]
        assert (lasting["severity"], lasting["end"]) == ("warning", None)
        assert past.ended_at is not None
        start, end = (each.timestamp() * 1000 for each in (past.started_at, past.ended_at))
        assert ended == {"start": start, "end": end, "severity": "critical"}
        assert [(period["warning"], period["critical"]) for period in data["limits"]] == [([3.0, 7.0], [0.0, 10.0])]

    def test_an_ongoing_excursion_is_shown_until_now_in_a_range_that_ends_later(
        self, viewer: Client, unit: StorageUnit
    ) -> None:
        now = timezone.now()
        ExcursionFactory(storage_unit=unit, started_at=now - HOUR)
        for end, until in ((now + 9 * HOUR, now), (now - HOUR / 2, now - HOUR / 2)):
            query = {"start": (now - 2 * HOUR).isoformat(), "end": end.isoformat()}
            with time_machine.travel(now, tick=False):
                data = viewer.get(reverse("unit-excursions", args=[unit.public_id]), query).json()
            assert data["until"] == milliseconds(until)

    def test_unknown_units_are_not_found_and_invalid_ranges_rejected(self, viewer: Client, unit: StorageUnit) -> None:
        assert viewer.get(reverse("unit-excursions", args=[StorageUnitFactory().public_id])).status_code == 404
        assert viewer.get(reverse("unit-excursions", args=[unit.public_id]), {"range": "2d"}).status_code == 400
