"""Readings of a month that can be archived, and what every reader answers about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from core.scope import Scope
from customers.models import Sensor
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, stored_row
from readings.series.downsample import downsample
from readings.series.tests.points import points_of
from readings.statistics.analytics import performance
from readings.statistics.time_outside import time_outside
from readings.statistics.totals import Bucket, RequestedUnit, totals_by_key
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import StoreResult, store
from readings.time_ranges import TimeRange
from readings.units.unit_refs import UnitRefs, visible_unit_refs

MONTH = date(2024, 3, 1)
START = datetime(2024, 2, 28, tzinfo=UTC)
END = datetime(2024, 4, 3, tzinfo=UTC)


def rows_of(sensor: Sensor, every: timedelta, *, start: datetime = START, end: datetime = END) -> list[ReadingRow]:
    """Return readings in a regular pattern with faults, other scales and qualities."""
    count = int((end - start) / every)
    return [
        ReadingRow(
            sensor.storage_unit_id,
            sensor.pk,
            start + number * every,
            None if number % 17 == 5 else 4 + number % 23 / 10,
            "CFK"[number % 3],
            (0.5, 0.97, 1.0)[number % 3],
            (1, 1, 2, 3)[number % 4],
        )
        for number in range(count)
    ]


def fill(sensors: list[Sensor]) -> None:
    """Store readings from February to April, every one, two or three hours."""
    for hours, sensor in enumerate(sensors, 1):
        stored(*rows_of(sensor, timedelta(hours=hours)))


def stored(*rows: ReadingRow) -> StoreResult:
    """Store these rows."""
    return store(ReadingBatch.of_rows(rows))


@dataclass(frozen=True)
class Answers:
    """What the readers answer; compared as a whole."""

    lists: object
    series: object
    statistics: object


def answers(sensors: list[Sensor]) -> Answers:
    """Return what every reader answers about the time around MONTH."""
    unit_refs = visible_unit_refs(Scope.everything())
    middle = TimeRange(datetime(2024, 3, 4, 5, 20, tzinfo=UTC), datetime(2024, 3, 9, 17, 45, 30, tzinfo=UTC))
    across = TimeRange(datetime(2024, 2, 29, 10, 30, tzinfo=UTC), datetime(2024, 4, 1, 12, 0, 1, tzinfo=UTC))
    return Answers(
        _lists(unit_refs, sensors, middle),
        _series(sensors, (middle, across)),
        _statistics(unit_refs, (middle, across), sensors),
    )


def _lists(unit_refs: UnitRefs, sensors: list[Sensor], middle: TimeRange) -> object:
    everything = Listing(unit_refs, ReadingFilter())
    within = Listing(unit_refs, ReadingFilter(start=middle.start, end=middle.end))
    cold = Listing(unit_refs, ReadingFilter(max_c=5.0))
    page = within.rows(50, offset=30)
    return (
        [row for chunk in everything.chunks(500) for row in chunk],
        [listing.count() for listing in (everything, within, cold)],
        page,
        within.rows(20, cursor=page[3].cursor(0, is_backwards=True)) if page else [],
        cold.rows(30, offset=11),
        [stored_row(each.storage_unit_id, each.sensor_code, datetime(2024, 3, 5, tzinfo=UTC)) for each in sensors],
    )


def _series(sensors: list[Sensor], ranges: tuple[TimeRange, ...]) -> object:
    found = []
    for sensor in sensors:
        for time_range in (*ranges, TimeRange(START, START + timedelta(days=500))):
            series = downsample(sensor.storage_unit, time_range, max_points=300)
            found.append((points_of(series), series.gaps()))
    return found


def _statistics(unit_refs: UnitRefs, ranges: tuple[TimeRange, ...], sensors: list[Sensor]) -> object:
    requested = [RequestedUnit(unit.unit_id, unit.zone, number) for number, unit in enumerate(unit_refs.values())]
    found: list[object] = []
    for time_range in ranges:
        found += [
            totals_by_key(requested, time_range),
            totals_by_key(requested, time_range, bucket=Bucket.DAY, by_sensor=True),
            performance(unit_refs, time_range),
            [time_outside(sensor.storage_unit_id, time_range) for sensor in sensors],
        ]
    return found
