"""Every storage unit that a caller may see with its newest reading and state: the query behind the overview.

The operator's overview has ten thousand units and is asked for again every few seconds, while a unit's reading changes
every few minutes. So what is shown of a unit is a pure function of its row, remembered from one request to the next;
nothing shown is ever older than the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, F, Func, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from core.db.compiled_queries import CompiledQuery
from core.scope import Scope
from customers.models import STALENESS_INTERVALS, StorageUnit
from customers.web.facility_options import (
    FacilityName,
    customers_of,
    facility_options,
    selected_facility,
    visible_facilities,
)
from readings.storage.reading_batch import instant_of, microseconds_of
from readings.units.condition import LIMIT_COLUMNS, LimitsInForce, UnitState
from readings.units.unit_condition import Condition

# Plain columns, not model instances: the operator's overview reads ten thousand units. What hardly ever changes of one
# comes as one text, which is taken apart when it does.
_COLUMNS = (
    "facts",
    "unit_code",
    "name",
    "facility_id",
    "staleness_limit",
    "recorded_us",
    "latest_reading__temperature_c",
)
*_LIMITS, _IS_LIMIT_OUTSIDE = LIMIT_COLUMNS
_NONE = "-"
_FURTHEST_K = 100_000.0
_WORST_FIRST = attrgetter("worst_first")
_CACHE_SIZE = 10_000
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class OverviewRow:
    """One storage unit as the overview shows it, but for its age; the same object for as long as it is the same.

    `recorded_us`: when its newest reading was made, in microseconds since 1970.
    """

    unit_id: int
    public_id: str
    name: str
    facility: FacilityName
    recorded_us: int | None
    condition: Condition
    worst_first: str
    searched: str


class Wanted(NamedTuple):
    """Which units of a scope are wanted; "" stands for all, and so does a facility that is not within the scope."""

    customer_code: str = ""
    facility_id: str = ""
    text: str = ""


class Overview(NamedTuple):
    """The wanted units, the worst first; what there is to choose from, and the facility that was wanted.

    `customers`: codes and names of those that have facilities.
    """

    rows: list[OverviewRow]
    customers: list[tuple[str, str]]
    facilities: list[FacilityName]
    facility: FacilityName | None


def overview(scope: Scope, now: datetime, wanted: Wanted | None = None) -> Overview:
    """What there is within `scope` of what is wanted; None: all of it. Two queries."""
    wanted = wanted or Wanted()
    found: Iterable[tuple[Any, ...]] = _ALL_UNITS.visible_to(scope)
    if wanted.customer_code:
        found = _units(scope).filter(facility__customer__customer_code=wanted.customer_code)
    # The units first: whatever they belong to is there when facilities are asked for.
    found = list(found)
    facilities = visible_facilities(scope)
    rows = _rows(found, {facility.facility_id: facility for facility in facilities}, microseconds_of(now))
    to_choose = facility_options(facilities, wanted.customer_code)
    chosen = selected_facility(to_choose, wanted.facility_id)
    if chosen:
        rows = [row for row in rows if row.facility is chosen]
    if text := wanted.text.strip().casefold():
        rows = [row for row in rows if text in row.searched]
    rows.sort(key=_WORST_FIRST)
    return Overview(rows, customers_of(facilities), to_choose, chosen)


def _rows(found: list[tuple[Any, ...]], names: Mapping[int, FacilityName], now_us: int) -> list[OverviewRow]:
    rows = []
    for facts, code, name, facility_id, staleness_limit, us, temperature_c in found:
        if facility_id in names:
            # That a reading becomes older than the gap limit is all that time changes.
            is_old = us is not None and now_us - us > staleness_limit * 1_000_000
            rows.append(_row(facts, code, name, names[facility_id], staleness_limit, us, temperature_c, is_old))
    return rows


def _units(scope: Scope) -> QuerySet[Any]:
    units = (
        StorageUnit.objects.visible_to(scope)
        .filter(is_synthetic=False)
        .order_by()
        .annotate(
            facts=_Facts(),
            staleness_limit=Coalesce("gap_limit_seconds", F("interval_seconds") * STALENESS_INTERVALS),
            recorded_us=_Microseconds("latest_reading__recorded_at"),
        )
    )
    return units.values_list(*_COLUMNS)


class _Facts(Func):
    """A unit's ids, scale and limits, which hold no spaces, as one text; _NONE for null, which would be left out."""

    function = "concat_ws"
    output_field = TextField()

    def __init__(self) -> None:
        numbers = (Coalesce(Cast(each, TextField()), Value(_NONE)) for each in ("set_temperature", *_LIMITS))
        super().__init__(Value(" "), "pk", "public_id", "temperature_unit", *numbers, _IS_LIMIT_OUTSIDE)


class _Microseconds(Func):
    """An instant in whole microseconds since 1970: a number is hashed sooner than a time."""

    template = "(date_part('epoch', %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()


_ALL_UNITS = CompiledQuery(_units)


def in_state(rows: Sequence[OverviewRow], state: str) -> Sequence[OverviewRow]:
    """The rows in the state of this slug; all for ""."""
    return [row for row in rows if row.condition.state.slug == state] if state else rows


def counts_by_state(rows: Iterable[OverviewRow]) -> list[tuple[UnitState, int]]:
    """How many rows are in each state, the worst first."""
    counts = Counter(row.condition.state for row in rows)
    return [(state, counts[state]) for state in UnitState]


@lru_cache(maxsize=_CACHE_SIZE)
def _row(
    facts: str,
    unit_code: str,
    name: str,
    facility: FacilityName,
    gap_limit_seconds: int,
    recorded_us: int | None,
    temperature_c: float | None,
    is_old: bool,
) -> OverviewRow:
    """The row of these columns; `is_old`: the reading is older than the gap limit."""
    unit_id, public_id, scale, *numbers, is_limit_outside = facts.split(" ")
    set_temperature, *limits_c = (None if each == _NONE else float(each) for each in numbers)
    limits = dict(zip(_LIMITS, limits_c, strict=True))
    recorded_at = None if recorded_us is None else instant_of(recorded_us)
    condition = Condition.at(
        (recorded_at or _NEVER) + timedelta(seconds=gap_limit_seconds + 1 if is_old else 0),
        scale=scale,
        set_temperature=set_temperature,
        gap_limit_seconds=gap_limit_seconds,
        recorded_at=recorded_at,
        temperature_c=temperature_c,
        limits=LimitsInForce(**limits, is_inclusive=is_limit_outside == "t"),
    )
    name, customer_code = name or unit_code, facility.customer_code
    worst_first = f"{_badness(condition)}\t{customer_code}\t{facility}\t{name}\t{unit_id:>10}"
    searched = f"{name} {unit_code} {facility} {facility.facility_code} {customer_code}".casefold()
    return OverviewRow(int(unit_id), public_id, name, facility, recorded_us, condition, worst_first, searched)


def _badness(condition: Condition) -> str:
    """A text that sorts by state, the worst first, then by how far the unit is from its set temperature.

    One text is compared several times as fast as a tuple of numbers and texts, of ten thousand units a hundred thousand
    times.
    """
    return f"{condition.state.rank}{_FURTHEST_K - min(abs(condition.deviation_k or 0.0), _FURTHEST_K):013.6f}"
