"""Unit references: what lists and statistics need of a storage unit, its facility and its customer.

Queried once per request, so that lists of readings need not join what is the same in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from core.db.compiled_queries import CompiledQuery
from core.scope import Scope
from customers.models import StorageUnit

_COLUMNS = (
    "pk",
    "public_id",
    "name",
    "unit_code",
    "interval_seconds",
    "facility_id",
    "facility__public_id",
    "facility__name",
    "facility__facility_code",
    "facility__time_zone",
    "facility__customer_id",
    "facility__customer__public_id",
    "facility__customer__customer_code",
    "latest_reading__recorded_at",
)


@dataclass(frozen=True, slots=True)
class UnitRef:
    """A storage unit; `newest_at` is the time of its newest reading, None if there is none.

    `name` and `facility_name` are the codes where there are no names.
    """

    unit_id: int
    public_id: UUID
    name: str
    interval_seconds: int
    facility_id: int
    facility_public_id: UUID
    facility_name: str
    time_zone: str
    customer_id: int
    customer_public_id: UUID
    customer_code: str
    newest_at: datetime | None

    @property
    def zone(self) -> ZoneInfo:
        """The facility's time zone."""
        return ZoneInfo(self.time_zone)


UnitRefs = Mapping[int, UnitRef]


def visible_unit_refs(scope: Scope, *, with_synthetic: bool = False, **conditions: object) -> dict[int, UnitRef]:
    """Return the units visible to `scope`, by id; `conditions` are lookups of StorageUnit. One query.

    with_synthetic: include the virtual units of drills, as needed where a unit is requested by its id.
    """
    if with_synthetic or conditions:
        rows: Iterable[tuple[Any, ...]] = _units(scope, with_synthetic=with_synthetic, **conditions)
    else:
        rows = _ALL_UNITS.visible_to(scope)
    return {row[0]: _unit_ref(row) for row in rows}


def _units(scope: Scope, *, with_synthetic: bool = False, **conditions: object) -> QuerySet[Any]:
    units = StorageUnit.objects.visible_to(scope).filter(**conditions)
    if not with_synthetic:
        units = units.filter(is_synthetic=False)
    return units.order_by().values_list(*_COLUMNS)


# Planning these joins takes longer than reading a customer's units.
_ALL_UNITS = CompiledQuery(_units, is_look_up=True)


def _unit_ref(row: tuple[Any, ...]) -> UnitRef:
    """Return the reference of a row of _COLUMNS, with codes in place of missing names."""
    unit_id, unit_public_id, name, unit_code, interval_seconds, *rest = row
    facility_id, facility_public_id, facility_name, facility_code, zone, customer_id, customer_public_id, *last = rest
    customer_code, newest_at = last
    return UnitRef(
        unit_id=unit_id,
        public_id=unit_public_id,
        name=name or unit_code,
        interval_seconds=interval_seconds,
        facility_id=facility_id,
        facility_public_id=facility_public_id,
        facility_name=facility_name or facility_code,
        time_zone=zone,
        customer_id=customer_id,
        customer_public_id=customer_public_id,
        customer_code=customer_code,
        newest_at=newest_at,
    )
