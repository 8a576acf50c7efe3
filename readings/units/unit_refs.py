"""Where readings were taken, as the REST API names it: the storage units of a caller with all that surrounds them.

Asked for once a request, so that lists of readings need not join what is the same in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from core.db.compiled_queries import RememberedQuery
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
class Place:
    """A storage unit; `newest_at` is None where nothing was ever read."""

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
        return ZoneInfo(self.time_zone)


Places = Mapping[int, Place]


def visible_unit_refs(scope: Scope, *, with_synthetic: bool = False, **conditions: Any) -> dict[int, Place]:
    """The units that `scope` may see, by id; `conditions` are look-ups of StorageUnit. One query.

    with_synthetic: also units that hold no goods but are made for drills, as where one is asked for by its id.
    """
    if with_synthetic or conditions:
        rows: Iterable[tuple[Any, ...]] = _units(scope, with_synthetic=with_synthetic, **conditions)
    else:
        rows = _ALL_UNITS.visible_to(scope)
    return {row[0]: _place(*row) for row in rows}


def _units(scope: Scope, *, with_synthetic: bool = False, **conditions: Any) -> QuerySet[Any]:
    units = StorageUnit.objects.visible_to(scope).filter(**conditions)
    if not with_synthetic:
        units = units.filter(is_synthetic=False)
    return units.order_by().values_list(*_COLUMNS)


_ALL_UNITS = RememberedQuery(_units)


def _place(
    unit_id: int,
    public_id: UUID,
    name: str,
    unit_code: str,
    interval_seconds: int,
    facility_id: int,
    facility_public_id: UUID,
    facility_name: str,
    facility_code: str,
    time_zone: str,
    customer_id: int,
    customer_public_id: UUID,
    customer_code: str,
    newest_at: datetime | None,
) -> Place:
    return Place(
        unit_id,
        public_id,
        name or unit_code,
        interval_seconds,
        facility_id,
        facility_public_id,
        facility_name or facility_code,
        time_zone,
        customer_id,
        customer_public_id,
        customer_code,
        newest_at,
    )
