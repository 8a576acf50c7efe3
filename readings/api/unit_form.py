"""Storage units and facilities as the REST API gives them: with what is measured now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from customers.models import GAP_LIMIT_INTERVALS, StorageUnit
from readings.units.condition import LIMIT_COLUMNS, LimitsInForce, UnitState
from readings.units.scales import Scale, from_celsius, to_celsius
from readings.units.unit_condition import Condition

_STATUSES = {
    UnitState.CRITICAL: "critical",
    UnitState.WARNING: "warning",
    UnitState.IN_LIMITS: "normal",
    UnitState.NO_LIMITS: "normal",  # nothing says it should be otherwise
    UnitState.NO_DATA: "no_data",
    UnitState.SENSOR_FAULT: "no_data",
}
_OWN = (
    "public_id",
    "facility__public_id",
    "unit_code",
    "name",
    "size_value",
    "size_unit",
    "set_temperature",
    "temperature_unit",
    "equipment_type",
    "created_at",
)
_NAMES = ("id", "facility_id", *_OWN[2:])
_MEASURED = (
    "interval_seconds",
    "gap_limit_seconds",
    "latest_reading__recorded_at",
    "latest_reading__temperature_c",
    "latest_reading__scale",
    *LIMIT_COLUMNS,
)


def unit_columns(units: QuerySet[StorageUnit]) -> QuerySet[Any]:
    """The columns that `in_form` wants."""
    return units.values_list(*_OWN, *_MEASURED)


def in_form(rows: Iterable[tuple[Any, ...]], now: datetime | None = None) -> list[dict[str, Any]]:
    """Units of `unit_columns` with the fields of StorageUnitSerializer."""
    now = now or timezone.now()
    return [_in_form(row, now) for row in rows]


def current_range(units: list[dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """The mean, lowest and highest temperature of those units that are measured now, on `scale`; None without any."""
    current_c = [
        to_celsius(unit["current_temperature"], unit["current_temperature_unit"])
        for unit in units
        if unit["temperature_status"] != "no_data"
    ]
    found = {
        "average_temperature": sum(current_c) / len(current_c) if current_c else None,
        "min_temperature": min(current_c, default=None),
        "max_temperature": max(current_c, default=None),
    }
    on_scale = {name: None if value_c is None else from_celsius(value_c, scale) for name, value_c in found.items()}
    return {**on_scale, "temperature_unit": scale}


def _in_form(row: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    own = dict(zip(_NAMES, row, strict=False))
    interval_seconds, gap_limit_seconds, recorded_at, temperature_c, scale, *limits = row[len(_OWN) :]
    condition = Condition.at(
        now,
        scale=own["temperature_unit"],
        set_temperature=own["set_temperature"],
        gap_limit_seconds=gap_limit_seconds or GAP_LIMIT_INTERVALS * interval_seconds,
        recorded_at=recorded_at,
        temperature_c=temperature_c,
        limits=LimitsInForce(*limits),
    )
    return own | {
        "current_temperature": None if temperature_c is None else from_celsius(temperature_c, scale),
        "current_temperature_unit": scale,
        "temperature_status": _STATUSES[condition.state],
        "last_reading_time": recorded_at,
    }
