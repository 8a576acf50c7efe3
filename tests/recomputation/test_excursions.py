"""Every metric of an excursion equals its naive definition, as stored and over the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.models import Excursion, LimitVersion
from customers.models import Sensor, StorageUnit
from readings.statistics.time_outside import time_outside
from readings.storage.reading_batch import instant_of
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh
from readings.time_ranges import TimeRange
from tests.recomputation import excursion_definition
from tests.recomputation.comparison import ask, close, temperature
from tests.recomputation.definition import HOUR, Unit
from tests.recomputation.excursion_definition import Budget, History, Limits
from tests.recomputation.fleets import Fleet

pytestmark = pytest.mark.django_db

SEVERITIES = {1: "warning", 2: "critical"}


def history_of(stored: StorageUnit, unit: Unit) -> History:
    """Return the unit's readings with the versions of its limits."""
    codes = dict(Sensor.objects.filter(storage_unit=stored).order_by("pk").values_list("pk", "sensor_code"))
    versions = LimitVersion.objects.filter(storage_unit=stored).order_by("valid_from")
    readings = sorted(unit.readings, key=lambda reading: reading.at)
    limits = [limits_of(version, codes) for version in versions]
    return History(readings, limits, list(codes.values()), unit.retired)


def limits_of(version: LimitVersion, codes: dict[int, str]) -> Limits:
    return Limits(
        since=version.valid_from,
        low_critical=version.low_critical_c,
        low_warning=version.low_warning_c,
        high_warning=version.high_warning_c,
        high_critical=version.high_critical_c,
        is_inclusive=version.is_inclusive,
        is_low_critical_inclusive=version.is_low_critical_inclusive,
        high_delay=timedelta(seconds=version.high_delay_seconds),
        low_delay=timedelta(seconds=version.low_delay_seconds),
        high_critical_delay=timedelta(seconds=version.high_critical_delay_seconds),
        low_critical_delay=timedelta(seconds=version.low_critical_delay_seconds),
        clearing_margin=version.clearing_margin_k,
        clearing_delay=timedelta(seconds=version.clearing_delay_seconds),
        staleness=timedelta(seconds=version.gap_limit_seconds),
        policy=version.sensor_policy,
        named_sensor=codes.get(version.named_sensor_id or 0),
        budgets=dict(budgets_of(version)),
        mkt_limit=version.mkt_limit_c,
        mkt_window=timedelta(seconds=version.mkt_window_seconds),
    )


def budgets_of(version: LimitVersion) -> Iterator[tuple[str, Budget]]:
    for side, prefix in (("both", ""), ("high", "high_"), ("low", "low_")):
        allowed = getattr(version, f"{prefix}allowed_seconds")
        if allowed is not None:
            window = timedelta(seconds=getattr(version, f"{prefix}allowed_window_seconds"))
            yield side, Budget(timedelta(seconds=allowed), window, getattr(version, f"{prefix}allowed_c", None))


def test_stored_excursions(fleet: Fleet) -> None:
    total = 0
    for stored, unit in fleet.known().items():
        expected = excursion_definition.excursions(history_of(stored, unit))

        found = Excursion.objects.filter(storage_unit=stored, kind="temperature").order_by("started_at")

        assert [measures_of(each) for each in found] == [expected_measures(each) for each in expected]
        total += len(expected)
    assert total > 10


MEASURES = (
    "started_at",
    "ended_at",
    "last_outside_at",
    "severity",
    "peak_c",
    "peak_at",
    "alarm_at",
    "critical_alarm_at",
    "outside_seconds",
    "gap_seconds",
    "area_kelvin_minutes",
    "mkt_c",
)


def measures_of(excursion: Excursion) -> dict[str, Any]:
    measures = {name: getattr(excursion, name) for name in MEASURES}
    pieces = [(instant_of(begin), instant_of(end)) for begin, end in excursion.outside_pieces]
    return measures | {"outside_pieces": pieces}


def expected_measures(expected: excursion_definition.Excursion) -> dict[str, Any]:
    return {
        "started_at": expected.started_at,
        "ended_at": expected.ended_at,
        "last_outside_at": expected.last_outside_at,
        "severity": SEVERITIES[expected.severity],
        "peak_c": close(expected.peak),
        "peak_at": expected.peak_at,
        "alarm_at": expected.alarm_at,
        "critical_alarm_at": expected.critical_alarm_at,
        "outside_seconds": close(expected.outside_seconds),
        "gap_seconds": close(expected.gap_seconds),
        "area_kelvin_minutes": close(expected.area_kelvin_minutes),
        "mkt_c": close(expected.mkt),
        "outside_pieces": expected.outside,
    }


def test_time_outside_of_any_period(fleet: Fleet) -> None:
    for number, (stored, unit) in enumerate(fleet.known().items()):
        start = fleet.start + number * 5 * HOUR
        end = min(start + 30 * HOUR, fleet.now)
        expected = excursion_definition.seconds_outside(history_of(stored, unit), start, end)

        found = time_outside(stored.pk, TimeRange(start, end))

        assert found is not None
        assert (found.outside.total_seconds(), found.critical.total_seconds()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("side", "kind", "least"), [("both", "budget", 4), ("high", "budget_high", 4), ("low", "budget_low", 1)]
)
def test_exceeded_budgets(fleet: Fleet, side: str, kind: str, least: int) -> None:
    total = 0
    for stored, unit in fleet.known().items():
        expected = excursion_definition.budgets(history_of(stored, unit), side)

        found = Excursion.objects.filter(storage_unit=stored, kind=kind).order_by("started_at", "limit_version_id")

        assert [(each.started_at, each.ended_at, each.outside_seconds) for each in found] == [
            (each.started_at, each.ended_at, close(each.most)) for each in expected
        ]
        total += len(expected)
    assert total >= least


def test_exceeded_mean_kinetic_temperatures(fleet: Fleet) -> None:
    run_requested_rebuilds()
    refresh()
    run_requested_checks()
    total = 0
    for stored, unit in fleet.known().items():
        expected = excursion_definition.mkt_excursions(history_of(stored, unit), unit, fleet.now)

        found = Excursion.objects.filter(storage_unit=stored, kind="mkt").order_by("started_at", "limit_version_id")

        assert [(each.started_at, each.ended_at, each.peak_c) for each in found] == [
            (each.started_at, each.ended_at, close(each.most)) for each in expected
        ]
        total += len(expected)
    assert total > 3


def test_excursions_over_the_api(fleet: Fleet) -> None:
    for stored, unit in fleet.known().items():
        expected = excursion_definition.excursions(history_of(stored, unit), fleet.now)
        scale = stored.temperature_unit

        found = ask(fleet, "excursions", unit_id=stored.public_id, kind="temperature", limit=1000)["items"]

        assert [instants_of(each) for each in reversed(found)] == [
            (each.started_at, each.ended_at, each.last_outside_at, each.peak_at, each.alarm_at, each.critical_alarm_at)
            for each in expected
        ]
        for item, each in zip(reversed(found), expected, strict=True):
            assert item["severity"] == SEVERITIES[each.severity]
            assert item["peak_temperature"] == temperature(each.peak, scale)
            assert item["mkt"] == temperature(each.mkt, scale)
            assert item["outside_seconds"] == close(each.outside_seconds)
            assert item["gap_seconds"] == close(each.gap_seconds)
            assert item["area_kelvin_minutes"] == close(each.area_kelvin_minutes)


def instants_of(item: dict[str, Any]) -> tuple[datetime | None, ...]:
    names = ("started_at", "ended_at", "last_outside_at", "peak_at", "alarm_at", "critical_alarm_at")
    return tuple(item[name] and datetime.fromisoformat(item[name]) for name in names)
