"""The query behind the overview: the visible storage units with their newest reading and state, worst first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db.models import BigIntegerField, DurationField, F, FloatField, Func, Q, QuerySet, Sum, Value
from django.db.models.expressions import ExpressionWrapper
from django.db.models.fields import BooleanField
from django.db.models.functions import Cast, Coalesce, Now

from core.db.compiled_queries import CompiledQuery
from core.scope import Scope, ScopedQuerySet
from core.web.pages import name_key
from customers.models import STALENESS_INTERVALS, StorageUnit
from customers.web.facility_options import (
    FacilityName,
    customers_of,
    facility_options,
    selected_facility,
    visible_facilities,
)
from readings.units.condition import LIMIT_COLUMNS, LimitsInForce, UnitState
from readings.units.unit_condition import Badges, Condition

# Columns instead of model instances, which take seven times as long to load.
_UNIT_COLUMNS = ("pk", "public_id", "name", "unit_code", "temperature_unit", "set_temperature")
_FACILITY_COLUMNS = ("facility__name", "facility__facility_code", "facility__customer__customer_code")
_READING_COLUMNS = (
    "latest_reading__recorded_at",
    "latest_reading__temperature_c",
    "latest_reading__scale",
    "latest_reading__sensor__retired_at",
)
_OUTSIDE = (UnitState.CRITICAL, UnitState.WARNING)
_STALENESS_LIMIT = Coalesce("gap_limit_seconds", F("interval_seconds") * STALENESS_INTERVALS)


@dataclass(frozen=True, slots=True)
class OverviewUnit:
    """A storage unit as the overview shows it."""

    unit_id: int
    public_id: UUID
    name: str
    unit_code: str
    facility_name: str
    facility_code: str
    customer_code: str
    condition: Condition

    @property
    def severity_key(self) -> tuple[int, float, str, str, str, int]:
        """The sort key: the worst state first and, outside the limits, the largest deviation.

        The other units keep their places: their temperatures change with every reading.
        """
        state = self.condition.state
        deviation = -abs(self.condition.deviation_k or 0.0) if state in _OUTSIDE else 0.0
        names = (self.customer_code, name_key(self.facility_name), name_key(self.name))
        return (state.rank, deviation, *names, self.unit_id)

    def matches(self, text: str) -> bool:
        """Return whether a name or code contains the casefolded text."""
        names = (self.name, self.unit_code, self.facility_name, self.facility_code, self.customer_code)
        return text in " ".join(names).casefold()


class OverviewFilters(NamedTuple):
    """The units to show; "" means all, and so does a facility that is not visible."""

    customer_code: str = ""
    facility_id: str = ""
    text: str = ""


class Overview(NamedTuple):
    """The matching units, worst first, with the filter options and the selected facility.

    `customers`: codes and names of those that have facilities.
    """

    units: list[OverviewUnit]
    customers: list[tuple[str, str]]
    facilities: list[FacilityName]
    facility: FacilityName | None


def overview(scope: Scope, now: datetime, filters: OverviewFilters | None = None) -> Overview:
    """Return the units within `scope` that match the filters. Two queries."""
    filters = filters or OverviewFilters()
    names = visible_facilities(scope)
    options = facility_options(names, filters.customer_code)
    facility = selected_facility(options, filters.facility_id)
    found = _listed_units(scope)
    if filters.customer_code:
        found = found.filter(facility__customer__customer_code=filters.customer_code)
    if facility:
        found = found.filter(facility=facility.facility_id)
    units = _load(found, now)
    if text := filters.text.strip().casefold():
        units = [unit for unit in units if unit.matches(text)]
    units.sort(key=lambda unit: unit.severity_key)
    return Overview(units, customers_of(names), options, facility)


def in_state(units: Sequence[OverviewUnit], state: str) -> Sequence[OverviewUnit]:
    """Return the units in the state with this slug; all for ""."""
    return [unit for unit in units if unit.condition.state.slug == state] if state else units


def counts_by_state(units: Iterable[OverviewUnit]) -> list[tuple[UnitState, int]]:
    """Return the number of units in each state, worst first."""
    counts = Counter(unit.condition.state for unit in units)
    return [(state, counts[state]) for state in UnitState]


def overview_etag(scope: Scope, now: datetime, url: str, badges: Badges) -> str:
    """Return a weak ETag of the overview at this URL, which changes with everything on the page but ages. One query.

    PostgreSQL hashes the columns of every unit. The hour is included because the sparklines move with it.
    """
    content = repr((scope, url, f"{now:%Y-%m-%dT%H}", list(_VERSION.visible_to(scope)))).encode()
    # Every unit may have a badge.
    content += msgspec.json.encode(sorted(badges.items()))
    return f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


class _RowHash(Func):
    """A 64-bit hash of these expressions."""

    template = "hashtextextended(ROW(%(expressions)s)::text, 0)"
    output_field = BigIntegerField()


def _version(scope: Scope) -> QuerySet[StorageUnit, tuple[int]]:
    """Return the query of one number that changes with the columns of any unit, or when a reading gets stale."""
    limit = Cast(_STALENESS_LIMIT, FloatField())
    limit_interval = Func(*[Value(0)] * 6, limit, function="make_interval", output_field=DurationField())
    is_stale = ExpressionWrapper(Q(latest_reading__recorded_at__lt=Now() - limit_interval), BooleanField())
    columns = (*_UNIT_COLUMNS, *LIMIT_COLUMNS, *_FACILITY_COLUMNS, *_READING_COLUMNS)
    units = _listed_units(scope).annotate(whole=Value(1)).values("whole")
    versions: QuerySet[StorageUnit, tuple[int]]
    versions = units.annotate(version=Sum(_RowHash(*columns, is_stale))).values_list("version")
    return versions


# Compiled once: this is all that an unchanged overview costs.
_VERSION = CompiledQuery(_version)


def _listed_units(scope: Scope) -> ScopedQuerySet:
    return StorageUnit.objects.visible_to(scope).filter(is_synthetic=False).order_by()


def _load(units: ScopedQuerySet, now: datetime) -> list[OverviewUnit]:
    """Return the units with their condition at `now`. One query."""
    rows = units.values_list(*_UNIT_COLUMNS, *_FACILITY_COLUMNS, *_READING_COLUMNS, _STALENESS_LIMIT, *LIMIT_COLUMNS)
    loaded = []
    for (
        pk, public_id, name, unit_code, scale, set_temperature, facility_name, facility_code, customer_code,
        recorded_at, temperature_c, reading_scale, retired_at, staleness_limit, *limits,
    ) in rows:  # fmt: skip
        condition = Condition.at(
            now,
            scale=scale,
            set_temperature=set_temperature,
            gap_limit_seconds=staleness_limit,
            recorded_at=recorded_at,
            temperature_c=temperature_c,
            reading_scale=reading_scale,
            is_of_retired_sensor=retired_at is not None,
            limits=LimitsInForce(*limits),
        )
        facility = (facility_name or facility_code, facility_code, customer_code)
        loaded.append(OverviewUnit(pk, public_id, name or unit_code, unit_code, *facility, condition))
    return loaded
