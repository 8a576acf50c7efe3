"""Every storage unit that a caller may see with its newest reading and state: the query behind the overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from customers.models import GAP_LIMIT_INTERVALS, StorageUnit
from customers.scope import Scope
from readings.condition import Condition
from readings.configuration import deviation_limits
from readings.states import DeviationLimits, UnitState

# Plain columns, not model instances: the operator's overview reads ten thousand units.
_COLUMNS = (
    "public_id",
    "unit_code",
    "name",
    "facility__facility_code",
    "facility__name",
    "facility__customer__customer_code",
    "temperature_unit",
    "set_temperature",
    "interval_seconds",
    "gap_limit_seconds",
    "latest_reading__recorded_at",
    "latest_reading__temperature_c",
)


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One storage unit as the overview shows it."""

    public_id: UUID
    name: str
    facility: str
    customer_code: str
    condition: Condition

    @property
    def worst_first(self) -> tuple[Any, ...]:
        """What to sort by: the state, then the deviation, then where it is."""
        deviation = abs(self.condition.deviation_k or 0.0)
        return (self.condition.state.rank, -deviation, self.customer_code, self.facility, self.name)


def overview(scope: Scope, now: datetime, customer_code: str = "") -> list[OverviewRow]:
    """The units within `scope`, and of one customer where its code is given, the worst first. One query."""
    limits = deviation_limits()
    units = StorageUnit.objects.within(scope).order_by()
    if customer_code:
        units = units.filter(facility__customer__customer_code=customer_code)
    rows = [_row(columns, now, limits) for columns in units.values_list(*_COLUMNS)]
    return sorted(rows, key=lambda row: row.worst_first)


def counts_by_state(rows: Iterable[OverviewRow]) -> list[tuple[UnitState, int]]:
    """How many rows are in each state, the worst first, states without any left out."""
    counts = Counter(row.condition.state for row in rows)
    return [(state, counts[state]) for state in UnitState if counts[state]]


def _row(columns: tuple[Any, ...], now: datetime, limits: DeviationLimits) -> OverviewRow:
    (
        public_id, unit_code, name, facility_code, facility_name, customer_code, scale, set_temperature,
        interval_seconds, gap_limit_seconds, recorded_at, temperature_c,
    ) = columns  # fmt: skip
    condition = Condition.at(
        now,
        scale=scale,
        set_temperature=set_temperature,
        gap_limit_seconds=gap_limit_seconds or GAP_LIMIT_INTERVALS * interval_seconds,
        recorded_at=recorded_at,
        temperature_c=temperature_c,
        limits=limits,
    )
    return OverviewRow(public_id, name or unit_code, facility_name or facility_code, customer_code, condition)
