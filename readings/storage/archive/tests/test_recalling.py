"""Only the months and units that a write concerns return to the table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from customers.models import Sensor
from readings.archive_models import RecalledUnit
from readings.models import DailyRollup, HourlyRollup
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.tests.world import stored
from readings.storage.reading_batch import ReadingRow
from readings.storage.rollups import refresh

pytestmark = pytest.mark.django_db

MONTHS = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1)]
NOON = timedelta(days=10, hours=12)
LATE = NOON + timedelta(minutes=5)


def row_of(sensor: Sensor, month: date, since: timedelta = NOON) -> ReadingRow:
    return ReadingRow(sensor.storage_unit_id, sensor.pk, datetime(month.year, month.month, 1, tzinfo=UTC) + since, 4.0)


@pytest.fixture(autouse=True)
def archived(sensors: list[Sensor]) -> None:
    stored(*(row_of(sensor, month) for sensor in sensors[:2] for month in MONTHS))
    refresh()
    for month in MONTHS:
        archive_month(month)


def recalled() -> set[tuple[date, int]]:
    return set(RecalledUnit.objects.values_list("month_id", "storage_unit_id"))


def test_storing_recalls_each_unit_in_its_months(sensors: list[Sensor]) -> None:
    first, second = sensors[:2]
    stored(row_of(first, MONTHS[0], LATE), row_of(first, MONTHS[2], LATE), row_of(second, MONTHS[1], LATE))
    assert recalled() == {
        (MONTHS[0], first.storage_unit_id),
        (MONTHS[2], first.storage_unit_id),
        (MONTHS[1], second.storage_unit_id),
    }


@pytest.mark.parametrize("model", [HourlyRollup, DailyRollup])
def test_refreshing_recalls_each_unit_in_its_months(
    sensors: list[Sensor], model: type[HourlyRollup] | type[DailyRollup]
) -> None:
    first, second = sensors[:2]
    period = "hour" if model is HourlyRollup else "local_date"
    for sensor, month in ((first, MONTHS[0]), (first, MONTHS[2]), (second, MONTHS[2])):
        rows = model.objects.filter(storage_unit=sensor.storage_unit_id, **{f"{period}__month": month.month})
        assert rows.update(is_settled=False)
    refresh()
    assert recalled() == {
        (MONTHS[0], first.storage_unit_id),
        (MONTHS[2], first.storage_unit_id),
        (MONTHS[2], second.storage_unit_id),
    }
