"""Random fleets: units in seven zones and three scales; sensors with faults, gaps and late rows, some retired."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from rest_framework.test import APIClient

from alarms.limits.retirement import RetirementError, retire
from alarms.models import UnitLimits
from customers.models import Customer, Facility, Sensor, StorageUnit
from tests.api_clients import client_of
from tests.factories import CustomerFactory, FacilityFactory, SensorFactory, StorageUnitFactory
from tests.recomputation.definition import DAY, HOUR, MINUTE, Reading, Unit, celsius, on_scale

ZONES = (
    "America/St_Johns",
    "Antarctica/Casey",
    "America/Havana",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Europe/London",
)
# Before the clocks of some of these zones change: past midnight in St. John's, by three hours in Casey.
PERIODS = (
    datetime(2010, 11, 5, 17, tzinfo=UTC),
    datetime(2010, 3, 3, 9, 30, tzinfo=UTC),
    datetime(2026, 10, 30, 22, 10, tzinfo=UTC),
)
DAYS = 3
BATCH = 500


@dataclass(frozen=True)
class Fleet:
    """A customer's units as stored, and as the definition sees them, with a client of its API at `now`."""

    customer: Customer
    client: APIClient
    units: Mapping[StorageUnit, Unit]
    start: datetime
    now: datetime

    def known(self, now: datetime | None = None) -> dict[StorageUnit, Unit]:
        """Return the units with the readings that count at a moment, `now` by default."""
        return {stored: unit.known_at(now or self.now) for stored, unit in self.units.items()}

    def of_facility(self, facility: Facility) -> list[Unit]:
        """Return the units of a facility with the readings that count now."""
        return [unit for stored, unit in self.known().items() if stored.facility == facility]


def make_fleet(seed: int) -> Fleet:
    """Create the units of a random fleet, with limits that change meanwhile; nothing is read yet."""
    drawn = random.Random(seed)
    start = PERIODS[seed % len(PERIODS)] + drawn.randrange(3_600) * timedelta(seconds=1)
    customer = CustomerFactory()
    units = {}
    with time_machine.travel(start - DAY, tick=False):
        for zone in ZONES:
            facility = FacilityFactory(customer=customer, name=zone, time_zone=zone)
            for number in range(drawn.choice([1, 1, 2])):
                stored, unit = _unit(drawn, facility, f"{zone} {number}", start)
                units[stored] = unit
    for stored, unit in units.items():
        with time_machine.travel(start - DAY, tick=False):
            _set_limits(drawn, stored)
        # In order of time, as people change them.
        for moment in sorted(start + drawn.random() * DAYS * DAY for _ in range(drawn.choice([0, 1, 2, 3]))):
            with time_machine.travel(moment, tick=False):
                if drawn.random() < 0.4:
                    _change_staleness(stored, unit, moment, drawn.choice([1_800, 4_000, 10_800]))
                else:
                    _set_limits(drawn, stored)
    client = client_of(customer, permissions=["read", "write"])
    return Fleet(customer, client, units, start, start + DAYS * DAY)


def _change_staleness(stored: StorageUnit, unit: Unit, moment: datetime, seconds: int) -> None:
    stored.gap_limit_seconds = seconds
    stored.save()
    unit.staleness.append((moment, timedelta(seconds=seconds)))


def _set_limits(drawn: random.Random, stored: StorageUnit) -> None:
    """Choose custom limits around what the unit's sensors measure."""
    middle = celsius(stored.set_temperature, stored.temperature_unit) if stored.set_temperature else 5.0
    warning, critical = drawn.choice([1.0, 2.0, 3.5]), drawn.choice([4.0, 6.0])
    sensors = list(Sensor.objects.filter(storage_unit=stored).order_by("pk"))
    low_critical_c = drawn.choice([None, round(middle - critical, 2)])
    low_warning_c = drawn.choice([None, round(middle - warning, 2)])
    # Draws from the same state without changing what is drawn after it.
    further = copy(drawn)
    UnitLimits.objects.update_or_create(
        storage_unit=stored,
        defaults={
            "low_critical_c": low_critical_c,
            "low_warning_c": low_warning_c,
            "is_low_critical_inclusive": low_warning_c is not None and further.choice([False, True]),
            "high_warning_c": round(middle + warning, 2),
            "high_critical_c": drawn.choice([None, round(middle + critical, 2)]),
            "is_inclusive": drawn.choice([False, True]),
            "high_delay_seconds": drawn.choice([0, 1_800, 7_200]),
            "low_delay_seconds": drawn.choice([0, 3_600]),
            "high_critical_delay_seconds": drawn.choice([0, 300, 3_600]),
            "low_critical_delay_seconds": drawn.choice([0, 1_800]),
            "clearing_margin_k": drawn.choice([0.0, 0.5, 3.0]),
            "clearing_delay_seconds": drawn.choice([0, 0, 1_800, 7_200]),
            "allowed_seconds": drawn.choice([None, 900, 3_600]),
            "allowed_window_seconds": drawn.choice([21_600, 86_400]),
            "high_allowed_seconds": further.choice([None, 900, 3_600]),
            "high_allowed_window_seconds": further.choice([21_600, 86_400]),
            "high_allowed_c": further.choice([None, round(middle + 1.2 * warning, 2), round(middle + 0.5, 2)]),
            "low_allowed_seconds": further.choice([None, 300, 600]),
            "low_allowed_window_seconds": further.choice([21_600, 86_400]),
            "low_allowed_c": further.choice([None, round(middle - 1.2 * warning, 2)]),
            "mkt_limit_c": drawn.choice([None, round(middle + 0.6, 2)]),
            "mkt_window_seconds": drawn.choice([21_600, 86_400]),
            "sensor_policy": drawn.choice(["any", "any", "mean", "named"]),
            "named_sensor": drawn.choice(sensors),
        },
    )


def _unit(drawn: random.Random, facility: Facility, name: str, start: datetime) -> tuple[StorageUnit, Unit]:
    scale = drawn.choice("CFK")
    set_c = drawn.choice([-20.0, 5.0, 5.0, 21.5])
    interval = drawn.choice([900, 1800, 3600, 3600])
    staleness_limit = drawn.choice([None, None, 2_000, 7_200])
    has_set_temperature = drawn.random() < 0.8
    set_temperature = round(on_scale(set_c, scale) or 0.0, 2) if has_set_temperature else None
    stored = StorageUnitFactory(
        facility=facility,
        name=name,
        set_temperature=set_temperature,
        temperature_unit=scale,
        interval_seconds=interval,
        gap_limit_seconds=staleness_limit,
    )
    unit = Unit(
        name=name,
        facility=facility.name,
        zone=facility.time_zone,
        staleness=[(start - DAY, timedelta(seconds=staleness_limit or 3 * interval))],
        set_temperature_c=None if set_temperature is None else celsius(set_temperature, scale),
    )
    for number in range(drawn.choice([1, 1, 2, 3])):
        SensorFactory(storage_unit=stored, sensor_code=f"sensor {number}")
        unit.readings += _readings(drawn, f"sensor {number}", scale, set_c, interval, start)
    end = start + DAYS * DAY
    for minutes in drawn.sample(range(10, 20 * 60), drawn.choice([0, 1, 2])):
        # Of a device whose clock is ahead.
        unit.readings.append(Reading("sensor 0", end + minutes * MINUTE, drawn.choice([250.0, None]), "K"))
    return stored, unit


def _readings(
    drawn: random.Random, sensor: str, scale: str, set_c: float, interval: int, start: datetime
) -> Iterator[Reading]:
    """Yield the readings of a sensor: a random walk with jitter, silences, faults and warm spells."""
    at = start + drawn.random() * timedelta(seconds=interval)
    warmer = 0.0
    while at < start + DAYS * DAY:
        if drawn.random() < 0.02:
            at += drawn.choice([0.5, 3, 9]) * HOUR
            continue
        warmer = drawn.choice([0.0, 0.0, 2.0, 4.0, 8.0, -4.0]) if drawn.random() < 0.12 else warmer
        # Loggers send one to six decimals; some send always the same temperature.
        value = round(on_scale(set_c + warmer + drawn.gauss(0, 0.4), scale) or 0.0, drawn.choice([1, 2, 6]))
        yield Reading(
            sensor=sensor,
            at=at,
            value=None if drawn.random() < 0.04 else value,
            scale=scale,
            quality=drawn.choice([1.0, 1.0, 0.9, 0.8, 0.5]),
            status=drawn.choice(["normal"] * 6 + ["warning", "error", "defrost"]),
        )
        jitter = drawn.choice([0.0, 0.0, drawn.uniform(-0.4, 0.4)])
        at += timedelta(microseconds=round(interval * (1 + jitter) * 1_000_000))


def push(fleet: Fleet, seed: int) -> None:
    """Send all readings through the API in batches: many rows are late, some by days, and some are repeated."""
    drawn = random.Random(seed)
    delayed = [
        (reading.at + drawn.choice([0, 0, 0, 1, 60]) * drawn.random() * HOUR, _row(stored, reading))
        for stored, unit in fleet.units.items()
        for reading in unit.readings
    ]
    rows = [row for _, row in sorted(delayed, key=lambda each: each[0])]
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH] + drawn.sample(rows[: first + BATCH], 20)
        response = fleet.client.post("/api/v1/temperature/bulk", batch)
        assert response.status_code == 200, response.content
        assert response.json()["rejected"] == response.json()["conflicts"] == 0, response.content


def retire_sensors(fleet: Fleet, seed: int) -> int:
    """Retire sensors of some units from a moment in the past on, after which they have sent; return their number."""
    drawn = random.Random(seed)
    for stored, unit in fleet.units.items():
        if drawn.random() < 0.5:
            sensor = drawn.choice(list(Sensor.objects.filter(storage_unit=stored).order_by("pk")))
            moment = fleet.start + drawn.uniform(0.2, 0.9) * DAYS * DAY
            with suppress(RetirementError):  # of the reference sensor of the limits
                retire(sensor, moment, by="ann")
                unit.retired[sensor.sensor_code] = moment
    return sum(len(unit.retired) for unit in fleet.units.values())


def _row(stored: StorageUnit, reading: Reading) -> dict[str, Any]:
    return {
        "storage_unit_id": str(stored.public_id),
        "sensor_id": reading.sensor,
        "recorded_at": reading.at.isoformat(),
        "temperature": reading.value,
        "temperature_unit": reading.scale,
        "quality_score": reading.quality,
        "equipment_status": reading.status,
    }
