"""The labels and values on the page of a storage unit."""

from __future__ import annotations

from datetime import datetime, timedelta

from customers.models import StorageUnit
from readings.models import LatestReading
from readings.statistics.statistics import Statistics
from readings.statistics.time_outside import TimeOutside
from readings.units.condition import LimitsInForce
from readings.units.formatting import (
    UNKNOWN_TEXT,
    duration_text,
    limits_text,
    scaled_text,
    share_text,
    temperature_text,
)
from readings.units.unit_condition import Condition

Details = list[tuple[str, str]]


def latest_of(unit: StorageUnit) -> LatestReading | None:
    """Return the unit's latest reading, None if there is none."""
    return getattr(unit, "latest_reading", None)


def condition_of(unit: StorageUnit, now: datetime) -> Condition:
    """Return the unit's condition at `now`."""
    latest = latest_of(unit)
    return Condition.at(
        now,
        scale=unit.temperature_unit,
        set_temperature=unit.set_temperature,
        gap_limit_seconds=unit.effective_staleness_limit_seconds,
        recorded_at=latest.recorded_at if latest else None,
        temperature_c=latest.temperature_c if latest else None,
        reading_scale=latest.scale if latest else None,
        is_of_retired_sensor=latest is not None and latest.sensor.retired_at is not None,
        limits=LimitsInForce.of(unit),
    )


def present_unit(unit: StorageUnit) -> Details:
    """Return labels and values of a unit's properties, without empty ones."""
    facility = unit.facility
    details = [
        ("Customer", facility.customer.name),
        ("Facility", str(facility)),
        ("Location", ", ".join(part for part in (facility.city, facility.country) if part)),
        ("Code", unit.unit_code),
        ("Equipment", unit.equipment_type),
        ("Size", "" if unit.size_value is None else f"{unit.size_value:.12g} {unit.size_unit}"),
        ("Set temperature", scaled_text(unit.set_temperature, unit.temperature_unit)),
        ("Limits", limits_text(LimitsInForce.of(unit), unit.temperature_unit)),
        ("Reading interval", duration_text(timedelta(seconds=unit.interval_seconds))),
        ("Readings valid for", duration_text(timedelta(seconds=unit.effective_staleness_limit_seconds))),
        ("Time zone", facility.time_zone),
    ]
    return [(name, text) for name, text in details if text.strip()]


def present_statistics(summaries: Statistics, outside: TimeOutside | None, scale: str) -> Details:
    """Return labels and values of the statistics, temperatures on `scale`; "–" for what is unknown."""
    return [
        ("Minimum", temperature_text(summaries.min_c, scale)),
        ("Average", temperature_text(summaries.average_c, scale)),
        ("Maximum", temperature_text(summaries.max_c, scale)),
        ("Time-weighted mean", temperature_text(summaries.mean_c, scale)),
        ("Mean kinetic temperature", temperature_text(summaries.mkt_c, scale)),
        ("Coverage", share_text(summaries.coverage)),
        ("Time outside limits", _outside_text(outside)),
        ("No data for", duration_text(timedelta(seconds=summaries.unknown_seconds))),
        ("Readings", f"{summaries.reading_count:,}"),
        ("Sensor faults", f"{summaries.fault_count:,}"),
    ]


def _outside_text(outside: TimeOutside | None) -> str:
    if outside is None:
        return UNKNOWN_TEXT
    critical = f", critical {duration_text(outside.critical)}" if outside.critical else ""
    return duration_text(outside.outside) + critical
