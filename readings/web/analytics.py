"""The analytics pages: trends, comparison, deviation and data quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.db.replica import from_replica
from customers.access import actions
from customers.access.page_principal import needs, page_principal
from customers.models import StorageUnit
from readings.statistics.analytics import Summary, by_period, summaries_by_owner
from readings.statistics.totals import Bucket
from readings.units.scales import Scale
from readings.web import analytics_tables as tables
from readings.web.analytics_filters import RANGES, AnalyticsFilters, parse_filters
from readings.web.analytics_tables import Table

# Of more facilities or units, those with the largest deviation are compared.
MAX_COMPARED = 50
PAGES = {
    "analytics": "Trends",
    "analytics-comparison": "Comparison",
    "analytics-deviation": "Deviation",
    "analytics-quality": "Data quality",
}


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def trends_page(request: HttpRequest) -> HttpResponse:
    """Show temperatures by hour, day, week or month."""
    return _page(
        request,
        "analytics",
        lambda filters: tables.trend(_over_time(filters), _scale(filters), filters.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def deviation_page(request: HttpRequest) -> HttpResponse:
    """Show deviations from the set temperature by hour, day, week or month."""
    return _page(
        request,
        "analytics-deviation",
        lambda filters: tables.deviation(_over_time(filters), _scale(filters), filters.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def quality_page(request: HttpRequest) -> HttpResponse:
    """Show coverage and data quality by hour, day, week or month."""
    return _page(
        request,
        "analytics-quality",
        lambda filters: tables.quality(_over_time(filters), filters.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def comparison_page(request: HttpRequest) -> HttpResponse:
    """Compare the facilities of a customer, or the units of a facility."""
    return _page(request, "analytics-comparison", _comparison)


@from_replica
def _page(request: HttpRequest, url_name: str, make_table: Callable[[AnalyticsFilters], Table]) -> HttpResponse:
    filters = parse_filters(request.GET, page_principal(request).scope, timezone.now())
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    context = {
        "filters": filters,
        "table": make_table(filters) if filters.unit_refs else None,
        "title": PAGES[url_name],
        "links": [(title, reverse(name) + query, name == url_name) for name, title in PAGES.items()],
        "buckets": [bucket.value for bucket in Bucket],
        "ranges": RANGES,
        "is_over_time": url_name != "analytics-comparison",
    }
    return render(request, "readings/analytics.html", context)


def _over_time(filters: AnalyticsFilters) -> dict[str, Summary]:
    return tables.period_names(
        by_period(filters.unit_refs, filters.time_range, filters.bucket), filters.bucket, filters.zone
    )


def _comparison(filters: AnalyticsFilters) -> Table:
    if filters.facility is not None:
        summaries = summaries_by_owner(filters.unit_refs, filters.time_range, lambda unit_ref: unit_ref.unit_id)
        owners = {pk: (ref.name, reverse("unit", args=[ref.public_id])) for pk, ref in filters.unit_refs.items()}
    else:
        summaries = summaries_by_owner(filters.unit_refs, filters.time_range, lambda unit_ref: unit_ref.facility_id)
        owners = {
            ref.facility_id: (ref.facility_name, f"?facility={ref.facility_public_id}&{_range_query(filters)}")
            for ref in filters.unit_refs.values()
        }
    names = _unique_names({owner: name for owner, (name, _) in owners.items()})
    named = tables.furthest_first((names[owner], each) for owner, each in summaries.items())
    compared = dict(list(named.items())[:MAX_COMPARED])
    addresses = {names[owner]: address for owner, (_, address) in owners.items()}
    table = tables.comparison(compared, _scale(filters), addresses, "Unit" if filters.facility else "Facility")
    if len(compared) == len(named):
        return table
    kind = "units" if filters.facility else "facilities"
    note = f"{len(compared):,} of {len(named):,} {kind} are compared: those with the largest deviation."
    return replace(table, note=note)


def _unique_names(names: dict[int, str]) -> dict[int, str]:
    """Return the names by owner id, numbered in the order of the ids where several are the same.

    A number that makes the name of another one is left out.
    """
    taken, numbers = set(names.values()), Counter[str]()
    unique: dict[int, str] = {}
    for owner, name in sorted(names.items()):
        numbers[name] += 1
        unique[owner] = name
        if numbers[name] > 1:
            while (numbered := f"{name} ({numbers[name]})") in taken:
                numbers[name] += 1
            unique[owner] = numbered
            taken.add(numbered)
    return unique


def _range_query(filters: AnalyticsFilters) -> str:
    """Return the query string that keeps the range and the customer."""
    chosen = f"days={filters.days}" if filters.days else f"start={filters.first_day}&end={filters.last_day}"
    customer = f"&customer={filters.customer.customer_code}" if filters.customer and len(filters.customers) > 1 else ""
    return f"interval={filters.bucket.value}&{chosen}{customer}"


def _scale(filters: AnalyticsFilters) -> Scale:
    """Return the units' common scale, or °C if they differ."""
    units = StorageUnit.objects.filter(pk__in=filters.unit_refs).order_by()
    scales = set(units.values_list("temperature_unit", flat=True).distinct())
    return Scale(scales.pop()) if len(scales) == 1 else Scale.CELSIUS
