"""The analytics pages: trends, comparison, deviation and data quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from customers.access.page_principal import page_principal
from customers.models import StorageUnit
from readings.statistics.analytics import Summary, by_period, summaries_by_owner
from readings.statistics.totals import Bucket
from readings.units.scales import Scale
from readings.web import analytics_tables as tables
from readings.web.analytics_filters import RANGES, Choice, choice_of
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
def trends_page(request: HttpRequest) -> HttpResponse:
    """Show temperatures by hour, day, week or month."""
    return _page(
        request,
        "analytics",
        lambda choice: tables.trend(_over_time(choice), _scale(choice), choice.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
def deviation_page(request: HttpRequest) -> HttpResponse:
    """Show deviations from the set temperature by hour, day, week or month."""
    return _page(
        request,
        "analytics-deviation",
        lambda choice: tables.deviation(_over_time(choice), choice.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
def quality_page(request: HttpRequest) -> HttpResponse:
    """Show coverage and data quality by hour, day, week or month."""
    return _page(
        request,
        "analytics-quality",
        lambda choice: tables.quality(_over_time(choice), choice.bucket.value.capitalize()),
    )


@require_safe
@never_cache
@login_required
def comparison_page(request: HttpRequest) -> HttpResponse:
    """Compare the facilities of a customer, or the units of a facility."""
    return _page(request, "analytics-comparison", _comparison)


def _page(request: HttpRequest, url_name: str, make_table: Callable[[Choice], Table]) -> HttpResponse:
    choice = choice_of(request.GET, page_principal(request).scope, timezone.now())
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    context = {
        "choice": choice,
        "table": make_table(choice) if choice.unit_refs else None,
        "title": PAGES[url_name],
        "links": [(title, reverse(name) + query, name == url_name) for name, title in PAGES.items()],
        "buckets": [bucket.value for bucket in Bucket],
        "ranges": RANGES,
        "is_over_time": url_name != "analytics-comparison",
    }
    return render(request, "readings/analytics.html", context)


def _over_time(choice: Choice) -> dict[str, Summary]:
    return tables.period_names(
        by_period(choice.unit_refs, choice.time_range, choice.bucket), choice.bucket, choice.zone
    )


def _comparison(choice: Choice) -> Table:
    if choice.facility is not None:
        summaries = summaries_by_owner(choice.unit_refs, choice.time_range, lambda unit_ref: unit_ref.unit_id)
        owners = {pk: (ref.name, reverse("unit", args=[ref.public_id])) for pk, ref in choice.unit_refs.items()}
    else:
        summaries = summaries_by_owner(choice.unit_refs, choice.time_range, lambda unit_ref: unit_ref.facility_id)
        owners = {
            ref.facility_id: (ref.facility_name, f"?facility={ref.facility_public_id}&{_range_query(choice)}")
            for ref in choice.unit_refs.values()
        }
    names = _unique_names({owner: name for owner, (name, _) in owners.items()})
    named = tables.furthest_first((names[owner], each) for owner, each in summaries.items())
    shown = dict(list(named.items())[:MAX_COMPARED])
    addresses = {names[owner]: address for owner, (_, address) in owners.items()}
    return tables.comparison(shown, _scale(choice), addresses, "Unit" if choice.facility else "Facility")


def _unique_names(names: dict[int, str]) -> dict[int, str]:
    """Return the names by owner id, numbered in the order of the ids where several are the same."""
    counts: Counter[str] = Counter()
    unique: dict[int, str] = {}
    for owner, name in sorted(names.items()):
        counts[name] += 1
        unique[owner] = name if counts[name] == 1 else f"{name} ({counts[name]})"
    return unique


def _range_query(choice: Choice) -> str:
    """Return the query string that keeps the range and the customer."""
    chosen = f"days={choice.days}" if choice.days else f"start={choice.first_day}&end={choice.last_day}"
    customer = f"&customer={choice.customer.customer_code}" if choice.customer and len(choice.customers) > 1 else ""
    return f"interval={choice.bucket.value}&{chosen}{customer}"


def _scale(choice: Choice) -> Scale:
    """Return the units' common scale, or °C if they differ."""
    units = StorageUnit.objects.filter(pk__in=choice.unit_refs).order_by()
    scales = set(units.values_list("temperature_unit", flat=True).distinct())
    return Scale(scales.pop()) if len(scales) == 1 else Scale.CELSIUS
