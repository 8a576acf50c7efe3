"""Every statistic of the API and the roll-ups equals its naive definition, before and after the roll-ups' refresh."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from ingestion.loading.due_readings import load_due_readings
from readings.models import DailyRollup, HourlyRollup
from readings.storage.rollups import refresh
from tests.recomputation import definition
from tests.recomputation.comparison import API, ask, close, temperature
from tests.recomputation.definition import Unit
from tests.recomputation.fleets import Fleet

pytestmark = pytest.mark.django_db

MICROSECOND = timedelta(microseconds=1)
SCALES = ("C", "F", "K")
INTERVALS = ("hour", "day", "week", "month")


def periods(fleet: Fleet, count: int) -> list[tuple[datetime, datetime]]:
    """Return random periods of the fleet's time, the first from before any reading up to now."""
    drawn = random.Random(count)
    span = fleet.now - fleet.start
    found = [(fleet.start - timedelta(hours=5), fleet.now)]
    while len(found) < count:
        start, end = sorted(fleet.start + drawn.random() * span for _ in range(2))
        found.append((start, end))
    return found


def test_statistics_of_any_period_and_any_units(fleet: Fleet, is_refreshed: bool) -> None:
    for number, (start, end) in enumerate(periods(fleet, 12)):
        scale = SCALES[number % 3]
        stored, unit = list(fleet.known().items())[number % len(fleet.units)]
        selections: list[tuple[str, dict[str, object], list[Unit]]] = [
            ("temperature/stats", {}, list(fleet.known().values())),
            ("analytics/temperature/summary", {"unit_id": stored.public_id}, [unit]),
            (
                "analytics/temperature/summary",
                {"facility_id": stored.facility.public_id},
                fleet.of_facility(stored.facility),
            ),
        ]
        for path, selection, units in selections:
            found = ask(fleet, path, **period(start, end), **selection, temperature_unit=scale)

            # The API includes the end of a period.
            assert_equal(found, definition.statistics(units, start, min(end + MICROSECOND, fleet.now)), scale)
            assert found["unit_count"] == len(units)


def test_readings_dated_ahead_count_once_their_time_has_come(fleet: Fleet) -> None:
    later = fleet.now + definition.DAY
    with time_machine.travel(later, tick=False):
        load_due_readings()

        found = ask(fleet, "temperature/stats", **period(fleet.start, later))

        units = list(fleet.known(later).values())
        assert len(units[0].readings) == len(next(iter(fleet.units.values())).readings)
        assert_equal(found, definition.statistics(units, fleet.start, later), "C")


def period(start: datetime, end: datetime) -> dict[str, str]:
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def assert_equal(found: dict[str, Any], expected: definition.Statistics, scale: str) -> None:
    """Compare statistics of the API on a scale with their definition."""
    for name in ("normal", "warning", "error"):
        assert found[f"{name}_count"] == expected.status_counts.get(name, 0)
    assert (found["reading_count"], found["fault_count"]) == (expected.reading_count, expected.fault_count)
    assert temperatures_of(found) == expected_temperatures(expected, scale)
    assert found["coverage"] == close(expected.coverage)


def temperatures_of(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name.endswith("_temperature") or name == "mkt"}


def expected_temperatures(expected: definition.Statistics, scale: str) -> dict[str, Any]:
    return {
        "min_temperature": temperature(expected.min_c, scale),
        "max_temperature": temperature(expected.max_c, scale),
        "avg_temperature": temperature(expected.average_c, scale),
        "mean_temperature": temperature(expected.mean_c, scale),
        "mkt": temperature(expected.mkt_c, scale),
    }


@pytest.mark.parametrize("interval", INTERVALS)
def test_trends(fleet: Fleet, is_refreshed: bool, interval: str) -> None:
    start, end = periods(fleet, 2)[1]
    for number, facility in enumerate(sorted({stored.facility for stored in fleet.units}, key=lambda each: each.pk)):
        scale, units = SCALES[number % 3], fleet.of_facility(facility)
        query = period(start, end) | {"interval": interval, "temperature_unit": scale}

        found = ask(fleet, "analytics/temperature/trends", facility_id=facility.public_id, **query)

        expected = groups(units, start, end + MICROSECOND, interval)
        assert [datetime.fromisoformat(each["group_key"][interval]) for each in found] == list(expected)
        for each, statistics in zip(found, expected.values(), strict=True):
            assert each["metrics"]["reading_count"] == statistics.reading_count
            assert each["metrics"]["coverage"] == close(statistics.coverage)
            assert temperatures_of(each["metrics"]) == expected_temperatures(statistics, scale)


def groups(
    units: list[Unit], start: datetime, end: datetime, interval: str, sensor: str | None = None
) -> dict[datetime, definition.Statistics]:
    """Return the statistics of each interval with readings by its start, in order; the units share their zone."""
    zone = units[0].zone
    starts = {
        definition.start_of_group(reading.at, interval, zone)
        for unit in units
        for reading in unit.readings
        if start <= reading.at < end and sensor in (None, reading.sensor)
    }
    return {
        each: definition.statistics(
            units, max(each, start), min(definition.end_of_group(each, interval, zone), end), sensor
        )
        for each in sorted(starts)
    }


@pytest.mark.parametrize("interval", INTERVALS)
def test_groups_by_sensor(fleet: Fleet, is_refreshed: bool, interval: str) -> None:
    start, end = periods(fleet, 3)[2]
    stored, unit = max(fleet.known().items(), key=lambda each: len({reading.sensor for reading in each[1].readings}))

    response = fleet.client.post(
        f"{API}/temperature/aggregate",
        {
            "group_by": [interval, "sensor"],
            "aggregations": ["avg", "min", "max", "count", "mkt", "mean", "coverage"],
            "storage_unit_id": str(stored.public_id),
            **period(start, end),
        },
    )

    found: dict[str, dict[datetime, dict[str, Any]]] = {}
    for each in response.json():
        key = each["group_key"]
        found.setdefault(key["sensor_id"], {})[datetime.fromisoformat(key[interval])] = each["metrics"]
    assert found.keys() == {reading.sensor for reading in unit.readings if start <= reading.at <= end}
    for sensor, of_sensor in found.items():
        expected = groups([unit], start, end + MICROSECOND, interval, sensor)
        assert list(of_sensor) == list(expected)
        for metrics, statistics in zip(of_sensor.values(), expected.values(), strict=True):
            assert metrics["reading_count"] == statistics.reading_count
            assert metrics["coverage"] == close(statistics.coverage)
            assert temperatures_of(metrics) == expected_temperatures(statistics, "C")


@pytest.mark.parametrize(
    ("intervals", "things"),
    [
        ([], []),
        (["hour"], []),
        (["week", "month"], ["facility"]),
        (["hour", "day"], ["unit"]),
        (["day", "month"], ["facility", "unit"]),
    ],
)
def test_groups_in_combination(fleet: Fleet, is_refreshed: bool, intervals: list[str], things: list[str]) -> None:
    for number, (start, end) in enumerate(periods(fleet, 3)[1:]):
        scale = SCALES[number % 3]
        response = fleet.client.post(
            f"{API}/temperature/aggregate?temperature_unit={scale}",
            {
                "group_by": [*things, *intervals],
                "aggregations": ["avg", "min", "max", "count", "mkt", "mean", "coverage"],
                **period(start, end),
            },
        )

        readings = 0
        for key, metrics in ((each["group_key"], each["metrics"]) for each in response.json()):
            units = units_of(fleet, key)
            first, last = start, end + MICROSECOND
            # A day that begins within an hour contains the hours that begin in it.
            for interval in intervals[:1] if intervals[:1] == ["hour"] else intervals:
                begin = datetime.fromisoformat(key[interval])
                first, last = max(first, begin), min(last, definition.end_of_group(begin, interval, units[0].zone))
            expected = definition.statistics(units, first, min(last, fleet.now))
            assert temperatures_of(metrics) == expected_temperatures(expected, scale)
            assert metrics["reading_count"] == expected.reading_count
            assert metrics["coverage"] == close(expected.coverage)
            readings += expected.reading_count
        of_all = definition.statistics(list(fleet.known().values()), start, end + MICROSECOND)
        assert readings == of_all.reading_count


def units_of(fleet: Fleet, key: dict[str, Any]) -> list[Unit]:
    """Return the units of a group."""
    return [
        unit
        for stored, unit in fleet.known().items()
        if key.get("facility_id", str(stored.facility.public_id)) == str(stored.facility.public_id)
        and key.get("storage_unit_id", str(stored.public_id)) == str(stored.public_id)
    ]


def test_performance(fleet: Fleet, is_refreshed: bool) -> None:
    for number, (start, end) in enumerate(periods(fleet, 5)):
        stored = list(fleet.units)[number]
        units, scale = fleet.of_facility(stored.facility), SCALES[number % 3]

        found = ask(
            fleet,
            "analytics/performance",
            **period(start, end),
            facility_id=stored.facility.public_id,
            temperature_unit=scale,
        )

        expected = definition.statistics(units, start, min(end + MICROSECOND, fleet.now))
        with_readings, total = definition.uptime(units, start, min(end, fleet.now))
        assert (found["uptime"]["hours_with_readings"], found["uptime"]["total_hours"]) == (with_readings, total)
        assert found["data_quality"]["total_readings"] == expected.reading_count
        assert found["data_quality"]["good_readings"] == expected.good_count
        assert {
            each["equipment_status"]: each["count"] for each in found["status_distribution"]
        } == expected.status_counts
        degrees = 1.8 if scale == "F" else 1.0
        assert found["temperature_deviation"] == {
            "avg_deviation": degrees_of(expected.mean_deviation, degrees),
            "min_deviation": degrees_of(expected.min_deviation, degrees),
            "max_deviation": degrees_of(expected.max_deviation, degrees),
            "temperature_unit": scale,
        }


def degrees_of(difference_k: float | None, degrees: float) -> Any:
    return close(None if difference_k is None else difference_k * degrees, 6)


def test_series_and_their_gaps(fleet: Fleet, is_refreshed: bool) -> None:
    for number, (stored, unit) in enumerate(fleet.known().items()):
        start, end = periods(fleet, 12)[number % 12]
        scale = SCALES[number % 3]
        query = period(start, end) | {"points": 1, "temperature_unit": scale}

        found = ask(fleet, f"temperature/unit/{stored.public_id}/series", **query)

        expected = definition.statistics([unit], start, end + MICROSECOND)
        [bucket] = found["buckets"] or [{"count": 0, "min": None, "avg": None, "max": None}]
        assert bucket["count"] == expected.reading_count
        assert [bucket[name] for name in ("min", "avg", "max")] == [
            temperature(each, scale) for each in (expected.min_c, expected.average_c, expected.max_c)
        ]
        assert [tuple(map(datetime.fromisoformat, (gap["start"], gap["end"]))) for gap in found["gaps"]] == (
            definition.gaps(unit, start, min(end + MICROSECOND, fleet.now))
        )


@pytest.mark.parametrize(("model", "interval"), [(HourlyRollup, "hour"), (DailyRollup, "day")])
def test_rollups(fleet: Fleet, model: type[HourlyRollup | DailyRollup], interval: str) -> None:
    refresh()
    name = "hour" if interval == "hour" else "local_date"
    for stored, unit in fleet.known().items():
        found: dict[datetime, dict[str, Any]] = {}
        for row in model.objects.filter(storage_unit=stored).order_by(name).values(name, *SUMS, "min_c", "max_c"):
            period = row.pop(name)
            start = period if interval == "hour" else definition.start_of_day(period, unit.zone)
            sums = found.setdefault(start, dict.fromkeys(SUMS, 0) | {"min_c": None, "max_c": None})
            for each in SUMS:
                sums[each] += row[each]
            for each, choose in (("min_c", min), ("max_c", max)):
                sums[each] = choose((t for t in (sums[each], row[each]) if t is not None), default=None)

        first, last = min(found), max(found)
        for start, sums in found.items():
            end = definition.end_of_group(start, interval, unit.zone)
            expected = definition.statistics([unit], start, end)
            assert sums == {each: close(getattr(expected, each)) for each in sums}
        # What has no roll-up has no readings, and none of its time is covered.
        assert sum(sums["reading_count"] for sums in found.values()) == len(unit.readings)
        end = definition.end_of_group(last, interval, unit.zone)
        total = definition.statistics([unit], first, end)
        assert sum(sums["covered_seconds"] for sums in found.values()) == close(total.covered_seconds)


SUMS = ("reading_count", "fault_count", "good_count", "weighted_seconds", "covered_seconds")
