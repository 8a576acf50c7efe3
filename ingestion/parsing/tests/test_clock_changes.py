"""Days of 23 and 25 hours: a logger's file in local time is stored and rolled up correctly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from customers.models import StorageUnit
from ingestion.loading.file_import import import_file
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.polling.tests.polling import counts
from readings.models import DailyRollup, HourlyRollup, Reading
from readings.storage.rollups import refresh
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

LONDON = ZoneInfo("Europe/London")
QUARTER = timedelta(minutes=15)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.fixture
def loggers() -> Source:
    """Return a source of files with local times in London."""
    return SourceFactory(url="", time_zone="Europe/London", facility_time_zone="Europe/London")


def quarters(first_day: date, days: int = 1) -> Iterator[datetime]:
    """Return the instants of a day in London, every 15 minutes."""
    instant = datetime(first_day.year, first_day.month, first_day.day, tzinfo=LONDON).astimezone(UTC)
    last_day = first_day + timedelta(days=days)
    while instant.astimezone(LONDON).date() < last_day:
        yield instant
        instant += QUARTER


def as_the_clock_shows(instants: Iterator[datetime] | list[datetime]) -> list[str]:
    return [f"{instant.astimezone(LONDON):%d/%m/%Y %H:%M}" for instant in instants]


def imported(folder: Path, source: Source, times: Iterable[str], name: str = "cold-room.csv") -> Delivery:
    """Import a logger's file in which the n-th reading is n/1000 °C."""
    file = folder / name
    rows = [f"{time},{number / 1000}" for number, time in enumerate(times)]
    file.write_text("\n".join(["Time,Temperature(°C)", *rows, ""]))
    return import_file(file, source.customer, source=source).delivery


def of_days() -> list[tuple[date, int, float, float]]:
    """Return local date, readings, covered hours and weighted hours of every day with readings."""
    refresh()
    return [
        (day.local_date, day.reading_count, day.covered_seconds / 3600, day.weighted_seconds / 3600)
        for day in DailyRollup.objects.filter(reading_count__gt=0).order_by("local_date")
    ]


@pytest.mark.parametrize(
    ("change_day", "readings", "hours"), [(SPRING, 92, 23.0), (AUTUMN, 100, 25.0)], ids=["23 hours", "25 hours"]
)
def test_the_day_of_a_clock_change_has_the_readings_of_all_its_hours(
    tmp_path: Path, loggers: Source, change_day: date, readings: int, hours: float
) -> None:
    day_before, day_after = change_day - timedelta(days=1), change_day + timedelta(days=1)
    instants = list(quarters(day_before, days=3))
    assert len(instants) == 96 + readings + 96

    delivery = imported(tmp_path, loggers, as_the_clock_shows(instants))

    assert (delivery.status, counts(delivery)) == ("success", (len(instants), 0, 0, 0))
    stored = Reading.objects.order_by("recorded_at").values_list("recorded_at", "temperature_c")
    assert list(stored) == [(instant, number / 1000) for number, instant in enumerate(instants)]
    (before, on_the_day, after) = of_days()
    assert before == (day_before, 96, 24.0, 24.0)
    assert on_the_day == (change_day, readings, hours, hours)
    assert after[:2] == (day_after, 96)
    # The last reading is valid for three intervals, here into the next day.
    assert after[2:] == (24.0, 24.0)


@pytest.mark.parametrize("change_day", [SPRING, AUTUMN], ids=["23 hours", "25 hours"])
def test_the_days_mean_is_over_its_own_readings(tmp_path: Path, loggers: Source, change_day: date) -> None:
    instants = list(quarters(change_day))
    imported(tmp_path, loggers, as_the_clock_shows(instants))
    day = DailyRollup.objects.get(local_date=change_day)
    assert day.sum_ninth_micro_c == 9_000 * sum(range(len(instants)))
    assert (day.min_c, day.max_c) == (0.0, (len(instants) - 1) / 1000)
    assert HourlyRollup.objects.filter(reading_count=4).count() == len(instants) // 4


def test_the_repeated_hour_of_a_descending_file_is_resolved_backwards(tmp_path: Path, loggers: Source) -> None:
    instants = list(quarters(AUTUMN))[::-1]
    delivery = imported(tmp_path, loggers, as_the_clock_shows(instants))
    assert counts(delivery) == (100, 0, 0, 0)
    assert list(Reading.objects.order_by("-recorded_at").values_list("recorded_at", flat=True)) == instants


def test_a_time_in_the_skipped_hour_is_rejected_and_the_rest_of_the_day_is_stored(
    tmp_path: Path, loggers: Source
) -> None:
    times = ["29/03/2026 00:45", "29/03/2026 01:15", "29/03/2026 02:00"]

    delivery = imported(tmp_path, loggers, times)

    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 1))
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.row_number, rejected.raw) == ("skipped_hour", 3, "29/03/2026 01:15,0.001")
    assert rejected.message == (
        'The local time "2026-03-29 01:15:00" does not exist in Europe/London: the clocks skipped it. '
        "Check the time zone."
    )
    assert [day[:2] for day in of_days()] == [(SPRING, 2)]


def test_an_ambiguous_time_in_the_repeated_hour_is_rejected(tmp_path: Path, loggers: Source) -> None:
    times = ["25/10/2026 00:30", "25/10/2026 01:30", "25/10/2026 02:30"]

    delivery = imported(tmp_path, loggers, times)

    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 1))
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.row_number, rejected.raw) == ("ambiguous_hour", 3, "25/10/2026 01:30,0.001")
    assert "occurs twice in Europe/London" in rejected.message
    assert [day[:2] for day in of_days()] == [(AUTUMN, 2)]


def test_importing_the_same_file_again_stores_only_duplicates(tmp_path: Path, loggers: Source) -> None:
    times = as_the_clock_shows(quarters(AUTUMN))
    imported(tmp_path, loggers, times)
    assert counts(imported(tmp_path, loggers, times)) == (0, 100, 0, 0)
    assert StorageUnit.objects.get().unit_code == "cold-room"
