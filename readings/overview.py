"""Every storage unit that a caller may see with its newest reading and state: the query behind the overview.

The operator's overview has ten thousand units and is asked for again every few seconds, while a unit's reading changes
every few minutes. So what is shown of a unit is a pure function of its row, remembered from one request to the next;
nothing shown is ever older than the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast

from customers.models import GAP_LIMIT_INTERVALS, StorageUnit
from customers.scope import Scope
from readings.condition import Condition
from readings.configuration import deviation_limits
from readings.states import DeviationLimits, UnitState

# Plain columns, not model instances: the operator's overview reads ten thousand units.
_COLUMNS = (
    "pk",
    "public_id_text",
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
_REMEMBERED = 10_000
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class OverviewRow:
    """One storage unit as the overview shows it, but for its age; the same object for as long as it is the same."""

    unit_id: int
    public_id: str
    name: str
    facility: str
    customer_code: str
    condition: Condition
    worst_first: tuple[Any, ...]
    searched: str


class Wanted(NamedTuple):
    """Which units of a scope are wanted; "" and None stand for all."""

    customer_code: str = ""
    facility_id: UUID | None = None
    text: str = ""


def overview(scope: Scope, now: datetime, wanted: Wanted | None = None) -> list[OverviewRow]:
    """The wanted units within `scope`, the worst first; None: all of them. One query."""
    wanted = wanted or Wanted()
    # As text: making ten thousand UUIDs only to write them into addresses costs as much as the query.
    units = (
        StorageUnit.objects.within(scope)
        .filter(is_synthetic=False)
        .order_by()
        .annotate(public_id_text=Cast("public_id", TextField()))
    )
    if wanted.customer_code:
        units = units.filter(facility__customer__customer_code=wanted.customer_code)
    if wanted.facility_id:
        units = units.filter(facility__public_id=wanted.facility_id)
    limits, text = deviation_limits(), wanted.text.strip().casefold()
    rows = (_row_at(columns, now, limits) for columns in units.values_list(*_COLUMNS))
    return sorted((row for row in rows if text in row.searched), key=lambda row: row.worst_first)


def in_state(rows: Sequence[OverviewRow], state: str) -> Sequence[OverviewRow]:
    """The rows in the state of this slug; all for ""."""
    return [row for row in rows if row.condition.state.slug == state] if state else rows


def counts_by_state(rows: Iterable[OverviewRow]) -> list[tuple[UnitState, int]]:
    """How many rows are in each state, the worst first."""
    counts = Counter(row.condition.state for row in rows)
    return [(state, counts[state]) for state in UnitState]


def _row_at(columns: tuple[Any, ...], now: datetime, limits: DeviationLimits) -> OverviewRow:
    recorded_at, interval_seconds, gap_limit_seconds = columns[11], columns[9], columns[10]
    gap_limit = timedelta(seconds=gap_limit_seconds or GAP_LIMIT_INTERVALS * interval_seconds)
    return _row(columns, recorded_at is not None and now - recorded_at > gap_limit, limits)


@lru_cache(maxsize=_REMEMBERED)
def _row(columns: tuple[Any, ...], is_old: bool, limits: DeviationLimits) -> OverviewRow:
    """The row of these columns; `is_old`: the reading is older than the gap limit. That is all that time changes."""
    (
        unit_id, public_id, unit_code, name, facility_code, facility_name, customer_code, scale, set_temperature,
        interval_seconds, gap_limit_seconds, recorded_at, temperature_c,
    ) = columns  # fmt: skip
    gap_limit_seconds = gap_limit_seconds or GAP_LIMIT_INTERVALS * interval_seconds
    condition = Condition.at(
        (recorded_at or _NEVER) + timedelta(seconds=gap_limit_seconds + 1 if is_old else 0),
        scale=scale,
        set_temperature=set_temperature,
        gap_limit_seconds=gap_limit_seconds,
        recorded_at=recorded_at,
        temperature_c=temperature_c,
        limits=limits,
    )
    name, facility = name or unit_code, facility_name or facility_code
    worst_first = (condition.state.rank, -abs(condition.deviation_k or 0.0), customer_code, facility, name, unit_id)
    searched = f"{name} {unit_code} {facility} {facility_code} {customer_code}".casefold()
    return OverviewRow(unit_id, public_id, name, facility, customer_code, condition, worst_first, searched)
