"""The data of the facility pages: facilities with the states of their units, and units with today's statistics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import Exists, OuterRef, Q

from core.scope import Scope, ScopedQuerySet
from core.web.pages import name_key
from customers.models import Facility, StorageUnit
from readings.statistics.statistics import Statistics, statistics_by_unit
from readings.storage.local_days import day_of, start_of_day
from readings.units.condition import UnitState
from readings.units.formatting import share_text, temperature_text
from readings.units.unit_condition import Condition
from readings.web.presenters import Details, condition_of


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """A facility with the number of its units in each state."""

    facility: Facility
    unit_count: int
    states: list[tuple[UnitState, int]]

    @property
    def worst(self) -> UnitState | None:
        """The worst state of any unit, None without units."""
        return self.states[0][0] if self.states else None


@dataclass(frozen=True, slots=True)
class UnitToday:
    """A unit with its condition and its statistics since local midnight."""

    unit: StorageUnit
    condition: Condition
    today: Statistics

    @property
    def texts(self) -> tuple[str, str, str]:
        """Minimum, average and maximum on the unit's scale."""
        today = self.today
        scale = self.unit.temperature_unit
        return (
            temperature_text(today.min_c, scale),
            temperature_text(today.average_c, scale),
            temperature_text(today.max_c, scale),
        )

    @property
    def coverage_text(self) -> str:
        """The coverage as text."""
        return share_text(self.today.coverage)


@dataclass(frozen=True, slots=True)
class FacilityToday:
    """A facility's units, worst first, and the number in each state."""

    units: list[UnitToday]
    states: list[tuple[UnitState, int]]


def list_facilities(scope: Scope, text: str) -> ScopedQuerySet:
    """Return the visible facilities whose names, codes, location or customer contain the text, by customer and code."""
    fields = ("name", "facility_code", "city", "country", "customer__customer_code", "customer__name")
    wanted = reduce(or_, (Q(**{f"{field}__icontains": text}) for field in fields))
    units = StorageUnit.objects.filter(facility=OuterRef("pk"))
    # Facilities that only have virtual units for drills are not listed.
    is_for_drills = Exists(units.filter(is_synthetic=True)) & ~Exists(units.filter(is_synthetic=False))
    facilities = Facility.objects.visible_to(scope).filter(~is_for_drills, wanted).select_related("customer")
    return facilities.order_by("customer__customer_code", "facility_code", "pk")


def facility_rows(scope: Scope, facilities: Iterable[Facility], now: datetime) -> list[FacilityRow]:
    """Return these facilities with the states of their visible units. One query."""
    listed = list(facilities)
    states: defaultdict[int, Counter[UnitState]] = defaultdict(Counter)
    for unit in _units(scope, facility__in=listed):
        states[unit.facility_id][condition_of(unit, now).state] += 1
    return [FacilityRow(each, states[each.pk].total(), _sorted(states[each.pk])) for each in listed]


def facility_today(scope: Scope, facility: Facility, now: datetime) -> FacilityToday:
    """Return the facility's visible units with today's statistics, in a fixed number of queries."""
    units = list(_units(scope, facility=facility))
    midnight = start_of_day(day_of(now, facility.zone), facility.zone)
    today = statistics_by_unit([unit.pk for unit in units], midnight, now, now=now)
    rows = [UnitToday(unit, condition_of(unit, now), today[unit.pk]) for unit in units]
    rows.sort(key=lambda each: (each.condition.state.rank, name_key(str(each.unit))))
    return FacilityToday(rows, _sorted(Counter(each.condition.state for each in rows)))


def present_facility(facility: Facility) -> Details:
    """Return labels and values of a facility's properties, without empty ones."""
    details = [
        ("Customer", str(facility.customer)),
        ("Code", facility.facility_code),
        ("Location", ", ".join(part for part in (facility.city, facility.country) if part)),
        ("Time zone", facility.time_zone),
    ]
    return [(name, text) for name, text in details if text]


def _units(scope: Scope, **conditions: object) -> ScopedQuerySet:
    """Return the real units with their latest readings, which determine their condition."""
    units = StorageUnit.objects.visible_to(scope).filter(is_synthetic=False, **conditions)
    return units.select_related("latest_reading__sensor").order_by("unit_code", "pk")


def _sorted(states: Counter[UnitState]) -> list[tuple[UnitState, int]]:
    return [(state, states[state]) for state in UnitState if states[state]]
