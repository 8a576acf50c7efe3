"""Roll-ups are rebuilt after a change of a facility's time zone or a unit's staleness limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from customers.models import StorageUnit
from readings.models import DailyRollup, HourlyRollup, RollupRebuild
from readings.statistics.statistics import statistics
from readings.storage import rebuilds, rollups
from readings.storage.archive import reading as archive
from readings.storage.archive.state import ArchiveUnavailable
from readings.storage.rebuilds import request_rebuild, run_requested_rebuilds
from readings.storage.rollups import refresh
from readings.tasks import settle_rollups
from tests.factories import StorageUnitFactory, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

EVENING = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def unit() -> StorageUnit:
    unit = StorageUnitFactory(interval_seconds=600, facility__time_zone="UTC")
    store_readings(unit, [5.0], start=EVENING)
    refresh()
    return unit


def covered_seconds() -> float:
    return sum(HourlyRollup.objects.values_list("covered_seconds", flat=True))


def test_another_time_zone_moves_the_readings_to_other_days(unit: StorageUnit) -> None:
    unit.facility.time_zone = "Europe/London"
    unit.facility.save()
    settle_rollups()
    days = DailyRollup.objects.filter(reading_count__gt=0).values_list("local_date", "is_settled")
    assert list(days) == [(date(2026, 6, 2), True)]


def test_another_staleness_limit_changes_what_is_covered_from_then_on(unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=timezone.now() - timedelta(minutes=10))
    refresh()
    assert covered_seconds() == pytest.approx(1800 + 1800)
    unit.gap_limit_seconds = 2 * 3600
    unit.save()
    settle_rollups()
    assert covered_seconds() == pytest.approx(1800 + 7200)


def test_a_retired_sensor_covers_nothing_from_then_on_as_in_excursions(unit: StorageUnit) -> None:
    sensor = unit.sensors.get()
    end = EVENING + timedelta(hours=2)
    for minutes, seconds in ((10, 600), (-1, 0), (None, 1800)):
        retired_at = None if minutes is None else EVENING + timedelta(minutes=minutes)
        sensor.retired_at = retired_at
        sensor.save()
        settle_rollups()
        assert covered_seconds() == pytest.approx(seconds)
        # The same of raw readings: a period that begins and ends within an hour.
        assert statistics([unit.pk], EVENING, end - timedelta(minutes=1)).covered_seconds == pytest.approx(seconds)
        assert sum(HourlyRollup.objects.values_list("reading_count", flat=True)) == 1


def test_other_changes_request_no_rebuild(unit: StorageUnit) -> None:
    unit.name = "another name"
    unit.save()
    unit.facility.city = "Leeds"
    unit.facility.save()
    unit.sensors.get().save()
    assert not RollupRebuild.objects.exists()
    assert run_requested_rebuilds() == 0


def test_the_latest_reading_survives_a_rebuild(unit: StorageUnit) -> None:
    store_readings(unit, [6.0], start=EVENING + timedelta(minutes=1))
    unit.interval_seconds = 60
    unit.save()
    assert run_requested_rebuilds() == 1
    unit.refresh_from_db()
    assert unit.latest_reading.temperature_c == 6.0
    assert not RollupRebuild.objects.exists()


def stale_units() -> set[int]:
    return set(HourlyRollup.objects.filter(is_settled=False).values_list("storage_unit_id", flat=True))


def unreadable_archive_of(unit: StorageUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it impossible to read what is archived of this unit."""
    recall_each = archive.recall_each

    def recall_or_fail(requested: Sequence[tuple[int, datetime, datetime]]) -> bool:
        if unit.pk in {unit_id for unit_id, _, _ in requested}:
            raise ArchiveUnavailable("2026-06.parquet is damaged.")
        return recall_each(requested)

    for module in (archive, rollups):
        monkeypatch.setattr(module, "recall_each", recall_or_fail)


def test_a_unit_that_cannot_be_rebuilt_is_retried_with_increasing_delays(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = StorageUnitFactory(interval_seconds=600, facility__time_zone="UTC")
    store_readings(other, [5.0], start=EVENING)
    request_rebuild([unit.pk])
    request_rebuild([other.pk])
    unreadable_archive_of(unit, monkeypatch)
    now = timezone.now()

    assert run_requested_rebuilds(now) == 1

    request = RollupRebuild.objects.get()
    assert (request.storage_unit, request.attempts) == (unit, 1)
    assert "2026-06.parquet is damaged." in request.error
    assert request.next_attempt_at is not None
    assert request.next_attempt_at > now
    assert run_requested_rebuilds(now) == 0
    monkeypatch.undo()
    assert run_requested_rebuilds(request.next_attempt_at) == 1
    assert not RollupRebuild.objects.exists()


def test_a_unit_that_cannot_be_refreshed_keeps_no_other_from_it(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [StorageUnitFactory(interval_seconds=600) for _ in range(4)]
    for each in (unit, *others):
        store_readings(each, [6.0], start=EVENING + timedelta(minutes=1))
    unreadable_archive_of(unit, monkeypatch)

    for _ in range(3):
        refresh()

    assert stale_units() == {unit.pk}
    request = RollupRebuild.objects.get()
    assert (request.storage_unit, request.attempts) == (unit, 1)
    assert "2026-06.parquet is damaged." in request.error
    monkeypatch.undo()
    assert run_requested_rebuilds(timezone.now() + timedelta(minutes=1)) == 1
    assert stale_units() == set()


def test_a_rebuild_that_ends_its_process_waits_and_holds_up_no_other(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = StorageUnitFactory()
    request_rebuild([unit.pk])
    request_rebuild([other.pk])
    rebuild = rollups.rebuild

    def rebuild_or_end(unit_ids: list[int]) -> None:
        if unit_ids == [unit.pk]:
            raise KeyboardInterrupt
        rebuild(unit_ids)

    monkeypatch.setattr(rebuilds, "rebuild", rebuild_or_end)
    now = timezone.now()
    with pytest.raises(KeyboardInterrupt):
        run_requested_rebuilds(now)
    assert run_requested_rebuilds(now) == 1
    assert RollupRebuild.objects.get().storage_unit == unit


def test_a_rebuild_that_is_requested_meanwhile_takes_place(unit: StorageUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    request_rebuild([unit.pk])

    def change_meanwhile(unit_id: int) -> None:
        RollupRebuild.objects.filter(pk=unit_id).update(requested_at=timezone.now(), next_attempt_at=None)

    with monkeypatch.context() as patch:
        patch.setattr(rebuilds, "settle", change_meanwhile)
        run_requested_rebuilds()
    assert run_requested_rebuilds() == 1
    assert not RollupRebuild.objects.exists()


def test_the_migration_to_days_by_boundaries_requests_rebuilds_where_midnight_recurs() -> None:
    migration = import_module("readings.migrations.0006_days_by_boundaries")
    zones = ("America/St_Johns", "America/Havana", "Europe/London", "Asia/Kolkata", "America/St_Johns")
    units = [StorageUnitFactory(facility__time_zone=zone) for zone in zones]
    request_rebuild([units[0].pk])

    migration.request_rebuilds(apps, connection.schema_editor())

    assert set(RollupRebuild.objects.values_list("pk", flat=True)) == {units[0].pk, units[1].pk, units[4].pk}
