"""Unit references: what lists and statistics need of a storage unit, its facility and its customer.

Queried once per request, so that lists of readings need not join what is the same in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, NullIf

from core.db.compiled_queries import PUBLIC_IDS, CompiledQuery
from core.scope import Scope
from customers.models import StorageUnit


def _text_of(public_id: str) -> Cast:
    """Return an id as text, which is what every use of it needs: a UUID would be parsed and written again."""
    return Cast(public_id, TextField())


def _name_or(code: str, name: str) -> Coalesce:
    return Coalesce(NullIf(name, Value("")), code)


# In the order of UnitRef's fields.
_COLUMNS = (
    "pk",
    _text_of("public_id"),
    _name_or("unit_code", "name"),
    "interval_seconds",
    "facility_id",
    _text_of("facility__public_id"),
    _name_or("facility__facility_code", "facility__name"),
    "facility__time_zone",
    "facility__customer_id",
    _text_of("facility__customer__public_id"),
    "facility__customer__customer_code",
    "latest_reading__recorded_at",
)


class UnitRef(NamedTuple):
    """A storage unit; `newest_at` is the time of its newest reading, None if there is none.

    `name` and `facility_name` are the codes where there are no names. A tuple, because a request may create thousands.
    """

    unit_id: int
    public_id: str
    name: str
    interval_seconds: int
    facility_id: int
    facility_public_id: str
    facility_name: str
    time_zone: str
    customer_id: int
    customer_public_id: str
    customer_code: str
    newest_at: datetime | None

    @property
    def zone(self) -> ZoneInfo:
        """The facility's time zone."""
        return ZoneInfo(self.time_zone)


UnitRefs = Mapping[int, UnitRef]


def visible_unit_refs(scope: Scope, **conditions: object) -> dict[int, UnitRef]:
    """Return the units visible to `scope`, by id, but not the virtual units of drills. One query.

    conditions: lookups of StorageUnit.
    """
    rows: Iterable[tuple[Any, ...]] = _real_units(scope, **conditions) if conditions else _ALL_UNITS.visible_to(scope)
    return {row[0]: UnitRef._make(row) for row in rows}


def visible_unit_ref(scope: Scope, public_id: UUID) -> dict[int, UnitRef]:
    """Return the unit with this public id by its id, also a virtual unit of drills; nothing if `scope` does not see it.

    One query.
    """
    rows = _UNIT.visible_to(scope).with_public_ids([public_id])
    return {row[0]: UnitRef._make(row) for row in rows}


def _units(scope: Scope, **conditions: object) -> QuerySet[Any]:
    return StorageUnit.objects.visible_to(scope).filter(**conditions).order_by().values_list(*_COLUMNS)


def _real_units(scope: Scope, **conditions: object) -> QuerySet[Any]:
    return _units(scope, is_synthetic=False, **conditions)


# Planning these joins takes longer than reading a customer's units.
_ALL_UNITS = CompiledQuery(_real_units, is_look_up=True)
_UNIT = CompiledQuery(lambda scope: _units(scope, public_id__any_of=PUBLIC_IDS), is_look_up=True)
