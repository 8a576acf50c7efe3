"""The pages that show what was measured: the overview, and one storage unit."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from customers.models import Customer, StorageUnit
from customers.page_callers import caller_of_page
from readings.overview import counts_by_state, overview
from readings.series import MAX_HOURS, newest_readings, series
from readings.statistics import statistics
from readings.unit_facts import condition_of, latest_of, listed, statistics_facts, unit_facts

UNITS_A_PAGE = 250
READINGS_SHOWN = 25
CHART_HOURS = 24


@require_safe
@never_cache
@login_required
def overview_page(request: HttpRequest) -> HttpResponse:
    """Every storage unit that the caller may see, the worst first; `?customer=CODE` shows one customer's."""
    scope = caller_of_page(request).scope
    customers = Customer.objects.within(scope)
    customer_code = request.GET.get("customer", "")
    if customer_code:
        get_object_or_404(customers, customer_code=customer_code)
    now = timezone.now()
    rows = overview(scope, now, customer_code)
    context = {
        "counts": counts_by_state(rows),
        "page": Paginator(rows, UNITS_A_PAGE).get_page(request.GET.get("page")),
        "customers": list(customers.values_list("customer_code", "name")),
        "customer_code": customer_code,
        "now": now,
    }
    return render(request, "readings/overview.html", context)


@require_safe
@never_cache
@login_required
def unit_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One storage unit: its facts, its newest reading, the last day as a chart and in figures, its newest readings."""
    unit = _unit_of(request, public_id)
    now = timezone.now()
    last_day = statistics([unit.pk], now - timedelta(hours=CHART_HOURS), now, now=now)
    context = {
        "unit": unit,
        "condition": condition_of(unit, now),
        "latest": latest_of(unit),
        "facts": unit_facts(unit),
        "statistics": statistics_facts(last_day, unit.temperature_unit),
        "readings": listed(newest_readings(unit, READINGS_SHOWN), unit.temperature_unit),
        "hours": CHART_HOURS,
        "now": now,
    }
    return render(request, "readings/unit.html", context)


@require_safe
@never_cache
@login_required
def unit_series(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The course of the unit's last `?hours=` (1 to MAX_HOURS) as JSON; 400 for anything else."""
    unit = _unit_of(request, public_id)
    hours = request.GET.get("hours", str(CHART_HOURS))
    if not (hours.isascii() and hours.isdigit() and 1 <= int(hours) <= MAX_HOURS):
        return JsonResponse({"error": f"hours must be a whole number from 1 to {MAX_HOURS}."}, status=400)
    now = timezone.now()
    return JsonResponse(series(unit, now - timedelta(hours=int(hours)), now))


def _unit_of(request: HttpRequest, public_id: UUID) -> StorageUnit:
    """The unit, if the caller may see it; a foreign one is not found."""
    units = StorageUnit.objects.within(caller_of_page(request).scope)
    related = ("facility__customer", "latest_reading__sensor", "latest_reading__equipment_status")
    unit: StorageUnit = get_object_or_404(units.select_related(*related), public_id=public_id)
    return unit
