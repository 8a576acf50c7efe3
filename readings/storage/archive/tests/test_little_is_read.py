"""Reads of archived months take from the files only what no roll-up answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.scope import Scope
from customers.models import Sensor
from readings.equipment_statuses import status_ids
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing
from readings.series.downsample import Level, downsample
from readings.statistics.analytics import performance
from readings.statistics.totals import RequestedUnit, totals_by_key
from readings.storage.archive import rows as archived_rows
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.reading import MOST_SPANS, joined
from readings.storage.archive.tests.world import MONTH, rows_of, stored
from readings.storage.rollups import refresh
from readings.time_ranges import TimeRange
from readings.units.unit_refs import visible_unit_refs

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVERY = timedelta(minutes=4)
# With hours and days cut at both ends.
RANGE = TimeRange(START + DAY + timedelta(minutes=50), START + 29 * DAY + timedelta(minutes=10))
READINGS_IN_RANGE = (RANGE.end - RANGE.start) // EVERY


@pytest.fixture
def taken(sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Archive a month without gaps or faults; return the numbers of rows as they are taken from its file."""
    for sensor in sensors[:2]:
        stored(*(row._replace(temperature_c=4.5) for row in rows_of(sensor, EVERY, start=START, end=START + 30 * DAY)))
    refresh()
    archive_month(MONTH)
    counts: list[int] = []

    def fill(rows: archived_rows.ArrivedBatch) -> None:
        counts.append(len(rows))
        original(rows)

    original = archived_rows.fill
    monkeypatch.setattr("readings.storage.archive.reading.fill", fill)
    return counts


@pytest.mark.django_db
@pytest.mark.parametrize("with_weights", [True, False])
def test_statistics_take_the_ends_of_a_period(taken: list[int], with_weights: bool) -> None:
    units = [RequestedUnit(unit.unit_id, unit.zone, 0) for unit in visible_unit_refs(Scope.everything()).values()]
    (totals,) = totals_by_key(units, RANGE, with_weights=with_weights).values()
    assert totals.reading_count == len(units) * READINGS_IN_RANGE
    # Ten minutes at each end of each unit, and with weights what was valid before.
    assert 0 < sum(taken) <= 200


@pytest.mark.django_db
def test_a_series_of_weeks_takes_its_ends(taken: list[int], sensors: list[Sensor]) -> None:
    series = downsample(sensors[0].storage_unit, TimeRange(RANGE.start, RANGE.end + 30 * DAY))
    assert series.level is Level.HOURS
    assert int(series.reading_count.sum()) == (START + 30 * DAY - RANGE.start) // EVERY
    assert 0 < sum(taken) <= 200


@pytest.mark.django_db
def test_a_list_takes_about_as_much_as_it_shows(taken: list[int]) -> None:
    month = Listing(visible_unit_refs(Scope.everything()), ReadingFilter(START, START + 30 * DAY))
    counted = month.count()
    # The rest of the total is in the roll-ups: the days of St. John's begin within an hour.
    assert sum(taken) <= 40
    assert len(month.rows(100, counted=counted)) == 100
    assert sum(taken) <= 400


@pytest.mark.django_db
def test_chunks_take_about_as_much_as_they_hold(taken: list[int]) -> None:
    month = Listing(visible_unit_refs(Scope.everything()), ReadingFilter(START, START + 30 * DAY))
    rows = sum(map(len, month.chunks(1_000)))
    assert rows == 2 * 30 * DAY // EVERY
    assert sum(taken) <= 2 * rows


@pytest.mark.django_db
def test_the_performance_of_a_month_takes_its_ends(taken: list[int]) -> None:
    found = performance(visible_unit_refs(Scope.everything()), RANGE)
    assert found.hours_with_readings == found.total_hours
    # As for statistics, and once more for whether anything was sent in the hours at the ends.
    assert 0 < sum(taken) <= 400


@pytest.mark.django_db
def test_the_performance_of_whole_hours_takes_nothing(taken: list[int]) -> None:
    found = performance(visible_unit_refs(Scope.everything()), TimeRange(START + DAY, START + 2 * DAY))
    assert found.hours_with_readings == found.total_hours == 24
    # St. John's days begin within an hour.
    assert sum(taken) <= 40


@pytest.mark.django_db
def test_the_performance_of_a_month_takes_the_hours_with_other_statuses(
    sensors: list[Sensor], taken: list[int]
) -> None:
    defrost = status_ids(["defrost"])["defrost"]
    changed = rows_of(sensors[0], 10 * DAY, start=START + 5 * DAY + timedelta(minutes=1), end=START + 30 * DAY)
    stored(*(row._replace(equipment_status_id=defrost) for row in changed))
    refresh()
    archive_month(MONTH)
    taken.clear()

    found = performance(visible_unit_refs(Scope.everything()), TimeRange(START + DAY, START + 29 * DAY))

    assert [(each.equipment_status, each.count) for each in found.statuses][-1] == ("defrost", len(changed))
    assert 0 < sum(taken) <= 200


def test_spans_that_are_near_are_taken_together() -> None:
    near = [(START + HOUR, START + 2 * HOUR), (START, START + HOUR), (START + 9 * DAY, START + 9 * DAY)]
    assert joined(near) == [(START, START + 2 * HOUR), (START + 9 * DAY, START + 9 * DAY)]
    many = [(START + number * DAY, START + number * DAY) for number in range(MOST_SPANS + 1)]
    assert joined(many) == [(START, START + MOST_SPANS * DAY)]
    assert joined([]) == []
