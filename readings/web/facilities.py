"""What the pages of facilities show: their units' states and what those measured today."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from core.scope import Scope
from customers.models import Facility, StorageUnit
from readings.statistics.statistics import Statistics, statistics_by_unit
from readings.time_ranges import start_of_day
from readings.units.condition import UnitState
from readings.units.formatting import share_text, temperature_text
from readings.units.unit_condition import Condition
from readings.web.presenters import Facts, condition_of


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """A facility with how many of its units are in which state, and the worst of these; None without any unit."""

    facility: Facility
    unit_count: int
    states: list[tuple[UnitState, int]]

    @property
    def worst(self) -> UnitState | None:
        return self.states[0][0] if self.states else None


@dataclass(frozen=True, slots=True)
class UnitToday:
    """A unit of a facility, how it is, and what it measured since its day began, on its own scale."""

    unit: StorageUnit
    condition: Condition
    today: Statistics

    @property
    def texts(self) -> tuple[str, str, str]:
        """Minimum, mean and maximum."""
        today = self.today
        scale = self.unit.temperature_unit
        return (
            temperature_text(today.min_c, scale),
            temperature_text(today.mean_c, scale),
            temperature_text(today.max_c, scale),
        )

    @property
    def coverage_text(self) -> str:
        return share_text(self.today.coverage)


@dataclass(frozen=True, slots=True)
class FacilityToday:
    """A facility's units, the worst first, and how many are in which state."""

    units: list[UnitToday]
    states: list[tuple[UnitState, int]]


def list_facilities(scope: Scope, text: str) -> QuerySet[Any]:
    """The facilities within `scope` whose names, codes, places or customers hold the text, by customer and code."""
    fields = ("name", "facility_code", "city", "country", "customer__customer_code", "customer__name")
    wanted = reduce(or_, (Q(**{f"{field}__icontains": text}) for field in fields))
    units = StorageUnit.objects.filter(facility=OuterRef("pk"))
    # One with nothing but units for drills is no place where goods are.
    is_for_drills = Exists(units.filter(is_synthetic=True)) & ~Exists(units.filter(is_synthetic=False))
    facilities = Facility.objects.visible_to(scope).filter(~is_for_drills, wanted).select_related("customer")
    return facilities.order_by("customer__customer_code", "facility_code", "pk")


def units_of(scope: Scope, facilities: Iterable[Facility], now: datetime) -> list[FacilityRow]:
    """These facilities with the states of those of their units that are within `scope`. One query more."""
    listed = list(facilities)
    states: defaultdict[int, Counter[UnitState]] = defaultdict(Counter)
    for unit in _units(scope, facility__in=listed):
        states[unit.facility_id][condition_of(unit, now).state] += 1
    return [FacilityRow(each, states[each.pk].total(), _sorted(states[each.pk])) for each in listed]


def facility_of(scope: Scope, facility: Facility, now: datetime) -> FacilityToday:
    """The facility's units within `scope` with what they measured today. A fixed number of queries."""
    units = list(_units(scope, facility=facility))
    midnight = start_of_day(now.astimezone(facility.zone).date(), facility.zone)
    today = statistics_by_unit([unit.pk for unit in units], midnight, now, now=now)
    shown = [UnitToday(unit, condition_of(unit, now), today[unit.pk]) for unit in units]
    shown.sort(key=lambda each: (each.condition.state.rank, str(each.unit)))
    return FacilityToday(shown, _sorted(Counter(each.condition.state for each in shown)))


def present_facility(facility: Facility) -> Facts:
    """Names and texts of what is known of the facility; what is unknown is left out."""
    facts = [
        ("Customer", str(facility.customer)),
        ("Code", facility.facility_code),
        ("Place", ", ".join(part for part in (facility.city, facility.country) if part)),
        ("Time zone", facility.time_zone),
    ]
    return [(name, text) for name, text in facts if text]


def _units(scope: Scope, **conditions: Any) -> QuerySet[Any]:
    """The units that hold goods, with their newest readings: what their condition hangs on."""
    units = StorageUnit.objects.visible_to(scope).filter(is_synthetic=False, **conditions)
    return units.select_related("latest_reading").order_by("unit_code", "pk")


def _sorted(states: Counter[UnitState]) -> list[tuple[UnitState, int]]:
    return [(state, states[state]) for state in UnitState if states[state]]
