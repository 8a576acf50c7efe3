"""The filters of an analytics page: units, period and interval, all taken from its URL.

They are part of the URL, so that pages can be bookmarked and shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.http import Http404, QueryDict

from core.scope import Scope
from core.web.pages import name_key
from customers.access.lookup import public_id_in
from customers.models import Customer, Facility, StorageUnit
from readings.statistics.totals import LEAST_SECONDS, Bucket
from readings.storage.local_days import day_of, start_of_day
from readings.time_ranges import DAY, HOUR, MICROSECOND, TimeRange, hour_of
from readings.units.unit_refs import UnitRef, visible_unit_refs

# The default period of each interval, the same as in the REST API.
DEFAULT_DAYS = {Bucket.HOUR: 1, Bucket.DAY: 7, Bucket.WEEK: 30, Bucket.MONTH: 365}
RANGES = {1: "24 hours", 7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year"}
# A longer period is shown by a coarser interval.
MAX_PERIODS = 400
EARLIEST = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class AnalyticsFilters:
    """The selected filters with their options."""

    customer: Customer | None
    customers: Sequence[tuple[str, str]]
    facilities: Sequence[tuple[str, str]]
    units: Sequence[tuple[str, str]]
    facility: str | None
    unit: str | None
    unit_refs: dict[int, UnitRef]
    bucket: Bucket
    days: int | None
    time_range: TimeRange
    zone: ZoneInfo
    is_coarser: bool = False

    @property
    def first_day(self) -> date:
        """The first local date of the period."""
        return day_of(self.time_range.start, self.zone)

    @property
    def last_day(self) -> date:
        """The last local date of the period."""
        return day_of(self.time_range.end - MICROSECOND, self.zone)

    @property
    def spans_zones(self) -> bool:
        """Whether the units' facilities are in several time zones, where days begin at different times."""
        return len({unit_ref.zone for unit_ref in self.unit_refs.values()}) > 1


def parse_filters(query: QueryDict, scope: Scope, now: datetime) -> AnalyticsFilters:
    """Return the filters given by a query string, limited to `scope`. Raises Http404 for invalid or hidden values."""
    customers = Customer.objects.visible_to(scope).order_by("customer_code")
    customer = _customer(query, list(customers))
    facility = _visible_id(query, "facility", Facility, scope)
    unit = _visible_id(query, "unit", StorageUnit, scope)
    facilities: list[tuple[str, str]] = []
    unit_refs: dict[int, UnitRef] = {}
    if customer is not None:
        listed = Facility.objects.visible_to(scope).filter(customer=customer).order_by("facility_code")
        facilities = [(str(each.public_id), str(each)) for each in listed]
        unit_refs = visible_unit_refs(scope, facility__customer=customer)
    # After another customer is selected, the URL still names the old facility.
    facility = facility if facility in dict(facilities) else None
    if facility is not None:
        unit_refs = {pk: unit_ref for pk, unit_ref in unit_refs.items() if unit_ref.facility_public_id == facility}
    units = sorted(((each.public_id, each.name) for each in unit_refs.values()), key=lambda each: name_key(each[1]))
    unit = unit if unit in dict(units) else None
    if unit is not None:
        unit_refs = {pk: unit_ref for pk, unit_ref in unit_refs.items() if unit_ref.public_id == unit}
    zones = {unit_ref.zone for unit_ref in unit_refs.values()}
    filters = AnalyticsFilters(
        customer=customer,
        customers=[(each.customer_code, each.name) for each in customers],
        facilities=facilities,
        units=units if facility else [],
        facility=facility,
        unit=unit,
        unit_refs=unit_refs,
        bucket=_bucket(query),
        days=None,
        time_range=TimeRange(now, now),
        zone=zones.pop() if len(zones) == 1 else ZoneInfo("UTC"),
    )
    return _with_bounded_rows(_with_time_range(filters, query, now))


def _customer(query: QueryDict, customers: list[Customer]) -> Customer | None:
    """Return the requested customer, the first without a request, None if there are none."""
    code = query.get("customer", "")
    if not code:
        return customers[0] if customers else None
    for customer in customers:
        if customer.customer_code == code:
            return customer
    raise Http404("No such customer.")


def _visible_id(query: QueryDict, name: str, model: type[Facility] | type[StorageUnit], scope: Scope) -> str | None:
    text = query.get(name, "")
    if not text:
        return None
    public_id = public_id_in(text)
    if not model.objects.visible_to(scope).filter(public_id=public_id).exists():
        raise Http404(f"No such {name}.")
    return str(public_id)


def _bucket(query: QueryDict) -> Bucket:
    try:
        return Bucket(query.get("interval") or Bucket.DAY)
    except ValueError as error:
        raise Http404("interval must be hour, day, week or month.") from error


def _with_time_range(filters: AnalyticsFilters, query: QueryDict, now: datetime) -> AnalyticsFilters:
    """Return the filters with the period from `start` to `end`, or of the last `days`."""
    days, today = _days(query, filters.bucket), day_of(now, filters.zone)
    if query.get("start") or query.get("end"):
        last = min(_date(query, "end") or today, today)
        first = min(_date(query, "start") or last - (days - 1) * DAY, last)
        end = min(start_of_day(last + DAY, filters.zone), now)
        return replace(filters, days=None, time_range=TimeRange(start_of_day(first, filters.zone), end))
    if days == 1:
        return replace(filters, days=days, time_range=TimeRange(hour_of(now) - 23 * HOUR, now))
    first = today - (days - 1) * DAY
    return replace(filters, days=days, time_range=TimeRange(start_of_day(first, filters.zone), now))


def _days(query: QueryDict, bucket: Bucket) -> int:
    text = query.get("days", "")
    if not text:
        return DEFAULT_DAYS[bucket]
    if text not in map(str, RANGES):
        raise Http404(f"days must be one of {', '.join(map(str, RANGES))}.")
    return int(text)


def _date(query: QueryDict, name: str) -> date | None:
    text = query.get(name, "")
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Http404(f"{name} must be a date, such as 2026-11-23.") from error
    return day and max(day, EARLIEST)


def _with_bounded_rows(filters: AnalyticsFilters) -> AnalyticsFilters:
    """Return the filters with an interval that yields at most MAX_PERIODS rows."""
    seconds = (filters.time_range.end - filters.time_range.start).total_seconds()
    buckets = list(Bucket)
    coarser = buckets[buckets.index(filters.bucket) :]
    bucket = next((each for each in coarser if seconds / LEAST_SECONDS[each] <= MAX_PERIODS), Bucket.MONTH)
    return replace(filters, bucket=bucket, is_coarser=bucket is not filters.bucket)
