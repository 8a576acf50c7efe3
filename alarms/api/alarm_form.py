"""Alarms and excursions as the REST API gives them: plain columns, with temperatures on the unit's own scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from alarms.models import Alarm
from core.scope import Scope
from readings.models import Reading
from readings.statistics.aggregates import on_scale

MOST_SUPPRESSED = 100
# Fields of the answer with the ways to their columns; codes stand for names where there are none.
_PLACE = {
    "facility_id": "storage_unit__facility__public_id",
    "facility_name": "storage_unit__facility__name",
    "facility_code": "storage_unit__facility__facility_code",
    "storage_unit_id": "storage_unit__public_id",
    "unit_name": "storage_unit__name",
    "unit_code": "storage_unit__unit_code",
    "temperature_unit": "storage_unit__temperature_unit",
}
_ALARM = _PLACE | {
    "id": "public_id",
    "customer_id": "customer__public_id",
    "sensor_id": "sensor__sensor_code",
    "temperature": "temperature_c",
    "equipment_status": "status_sent",
    "suppressed_by_id": "suppressed_by__public_id",
    "excursion_id": "excursion__public_id",
}
_ALARM |= {
    name: name
    for name in (
        "kind", "severity", "state", "source_name", "recorded_at", "started_at", "ended_at", "opened_at",
        "acknowledged_at", "acknowledged_by", "acknowledgement", "closed_at", "closed_by", "cause",
        "corrective_action", "is_detected_late", "is_withdrawn", "reopened_count",
    )
}  # fmt: skip
_EXCURSION = _PLACE | {
    "id": "public_id",
    "peak_temperature": "peak_c",
    "mkt": "mkt_c",
    "profile_name": "limit_version__profile_name",
}
_EXCURSION |= {
    name: name
    for name in (
        "kind", "severity", "started_at", "ended_at", "last_outside_at", "peak_at", "area_kelvin_minutes",
        "outside_seconds", "gap_seconds", "alarm_at", "critical_alarm_at", "is_detected_late", "detected_at",
    )
}  # fmt: skip


def alarm_columns(alarms: QuerySet[Any]) -> QuerySet[Any]:
    """The columns that `alarms_in_form` wants."""
    # Several sensors may have measured at that instant: what any of them said.
    sent = Reading.objects.filter(storage_unit=OuterRef("storage_unit"), recorded_at=OuterRef("recorded_at"))
    status = Subquery(sent.order_by("sensor_id").values("equipment_status__name")[:1])
    return alarms.annotate(status_sent=status).values_list(*_ALARM.values())


def alarms_in_form(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Alarms of `alarm_columns` with the fields of AlarmSerializer."""
    return [_in_form(_ALARM, row, "temperature") for row in rows]


def detailed_form(alarm: Alarm, scope: Scope) -> dict[str, Any]:
    """The alarm with its trail and the alarms within `scope` that it explains. Three queries."""
    (own,) = alarms_in_form(alarm_columns(Alarm.objects.filter(pk=alarm.pk)))
    suppressed = Alarm.objects.within(scope).filter(suppressed_by=alarm).order_by("-started_at", "-pk")
    return own | {
        "events": list(alarm.events.order_by("happened_at", "pk").values("kind", "happened_at", "by", "text")),
        "suppressed_alarms": alarms_in_form(alarm_columns(suppressed)[:MOST_SUPPRESSED]),
    }


def excursion_columns(excursions: QuerySet[Any]) -> QuerySet[Any]:
    """The columns that `excursions_in_form` wants."""
    return excursions.values_list(*_EXCURSION.values())


def excursions_in_form(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Excursions of `excursion_columns` with the fields of ExcursionSerializer."""
    return [_in_form(_EXCURSION, row, "peak_temperature", "mkt") for row in rows]


def _in_form(names: Iterable[str], row: tuple[Any, ...], *temperatures: str) -> dict[str, Any]:
    shown = dict(zip(names, row, strict=True))
    facility_code, unit_code = shown.pop("facility_code"), shown.pop("unit_code")
    shown |= {"facility_name": shown["facility_name"] or facility_code, "unit_name": shown["unit_name"] or unit_code}
    for name in temperatures:
        shown[name] = on_scale(shown[name], shown["temperature_unit"])
    return shown
