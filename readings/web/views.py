"""The overview, the facility pages and the unit page."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from django_htmx.middleware import HtmxDetails

from core.api.renderers import CSVRenderer, for_spreadsheets, to_json
from core.db.compiled_queries import CompiledObjectQuery
from core.db.replica import from_replica
from core.web.pages import list_page, query_with, requested_template
from customers.access import actions
from customers.access.page_principal import needs, page_principal
from customers.models import Customer, Facility, StorageUnit
from customers.trail.selectors import history_of_unit
from customers.web.trail import history_page
from readings.lists.export import stream
from readings.lists.sensors import sensor_states
from readings.series.chart import chart_data
from readings.series.sparklines import sparklines
from readings.statistics.statistics import statistics
from readings.statistics.time_outside import TooMuchOutside, time_outside
from readings.time_ranges import TimeRange
from readings.units.condition import UnitState
from readings.units.unit_condition import visible_badges
from readings.web.facilities import facility_rows, facility_today, list_facilities, present_facility
from readings.web.overview import OverviewFilters, counts_by_state, in_state, overview, overview_etag
from readings.web.presenters import condition_of, latest_of, present_statistics, present_unit
from readings.web.ranges import PRESET_NAMES, InvalidRange, RequestedRange, requested_range
from readings.web.reading_table import listing_of, table_page
from readings.web.tiles import render_tiles

UNIT = CompiledObjectQuery(StorageUnit, "facility")
UNIT_WITH_READING = CompiledObjectQuery(StorageUnit, "facility__customer", "latest_reading__sensor")
UNITS_A_PAGE = 1_000
FACILITIES_A_PAGE = 100
REFRESH_SECONDS = 15
# Templates of the parts that htmx refreshes, by element id.
OVERVIEW_PARTS = {"overview": "readings/_overview.html", "units": "readings/_units.html"}
UNIT_PARTS = {"latest": "readings/_latest.html", "range": "readings/_range.html"}


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS, is_open=True)
def overview_page(request: HttpRequest) -> HttpResponseBase:
    """Show the visible units as tiles, worst first, filtered by customer, facility, state and text.

    Browsers send the ETag with every live refresh, so that an unchanged overview costs one query and no rendering.
    """
    scope, now = page_principal(request).scope, timezone.now()
    badges = visible_badges(scope)
    etag = overview_etag(scope, now, request.get_full_path(), badges)
    if (not_modified := get_conditional_response(request, etag=etag)) is not None:
        return not_modified
    customer_code = request.GET.get("customer", "")
    if customer_code:
        get_object_or_404(Customer.objects.visible_to(scope), customer_code=customer_code)
    state, text = request.GET.get("state", ""), request.GET.get("text", "")
    filters = OverviewFilters(customer_code, request.GET.get("facility", ""), text)
    units, customers, facilities, facility = overview(scope, now, filters)
    page = Paginator(in_state(units, state), UNITS_A_PAGE).get_page(request.GET.get("page"))
    paths = sparklines([unit.unit_id for unit in page.object_list], now)
    with_customer = len(customers) > 1 and not customer_code
    context = {
        "page": page,
        "tiles": render_tiles(page.object_list, paths, badges, with_customer=with_customer),
        "counts": [(each, count, query_with(request, state=each.slug)) for each, count in counts_by_state(units)],
        "unit_count": len(units),
        "all_states": query_with(request, state=""),
        "previous_page": query_with(request, page=page.number - 1),
        "next_page": query_with(request, page=page.number + 1),
        "customers": customers,
        "facilities": facilities,
        "selected": {"customer": customer_code, "facility": facility, "state": state, "text": text},
        "is_filtered": bool(customer_code or facility or state or text),
        "refresh_seconds": REFRESH_SECONDS,
        "etag": etag,
        "now": now,
    }
    response = render(request, requested_template(request, OVERVIEW_PARTS, "readings/overview.html"), context)
    response.headers["ETag"] = etag
    return response


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_FACILITIES)
def facilities_page(request: HttpRequest) -> HttpResponse:
    """List the visible facilities with their units' states; `?text=` filters them."""
    text = request.GET.get("text", "").strip()
    scope, now = page_principal(request).scope, timezone.now()
    listed = list_page(request, list_facilities(scope, text), FACILITIES_A_PAGE)
    context = {
        "list": listed,
        "facilities": facility_rows(scope, listed.rows, now),
        "text": text,
        "states": list(UnitState),
    }
    return render(request, "readings/facilities.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_FACILITIES)
def facility_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a facility and its units with today's minimum, mean and maximum."""
    scope = page_principal(request).scope
    facilities = Facility.objects.visible_to(scope).select_related("customer")
    facility = get_object_or_404(facilities, public_id=public_id)
    now = timezone.now()
    units = facility_today(scope, facility, now)
    context = {"facility": facility, "properties": present_facility(facility), "units": units, "now": now}
    return render(request, "readings/facility.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def unit_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a unit's latest reading, and a range of readings as chart, statistics and table."""
    unit, now = _unit_of(request, public_id, UNIT_WITH_READING), timezone.now()
    part = requested_template(request, UNIT_PARTS, "readings/unit.html")
    context: dict[str, object] = {"unit": unit, "refresh_seconds": REFRESH_SECONDS, "now": now}
    if part != UNIT_PARTS["range"]:
        context |= {"condition": condition_of(unit, now), "latest": latest_of(unit), "properties": present_unit(unit)}
    if part not in UNIT_PARTS.values():
        context["sensors"] = sensor_states(unit)
        context["may_see_limits"] = page_principal(request).may(actions.SEE_SETTINGS, unit.facility.customer_id)
    if part != UNIT_PARTS["latest"]:
        try:
            period = requested_range(request.GET, unit.pk, unit.facility.zone, now)
        except InvalidRange as error:
            return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
        context |= _range_context(request, unit, period)
        # Not on the periodic refresh, which must not overwrite a range being entered.
        htmx = HtmxDetails(request)
        is_refresh = htmx.trigger == "range"
        context["replaces_range_choice"] = bool(htmx.target) and not is_refresh
    return render(request, part, context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
def unit_history(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show who changed what about the unit."""
    unit = _unit_of(request, public_id, UNIT)
    facility = unit.facility
    return history_page(
        request,
        history_of_unit(unit),
        name=str(unit),
        title="Unit",
        page=reverse("unit", args=[unit.public_id]),
        parents=[
            ("Facilities", reverse("facilities")),
            (facility.customer.name, ""),
            (str(facility), reverse("facility", args=[facility.public_id])),
        ],
        time_zone=facility.time_zone,
    )


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_READINGS)
@from_replica
def unit_series(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the unit's downsampled series in the requested range as JSON; 400 for an invalid range."""
    unit = _unit_of(request, public_id, UNIT)
    try:
        period = requested_range(request.GET, unit.pk, unit.facility.zone, timezone.now())
    except InvalidRange as error:
        return HttpResponse(to_json({"error": str(error)}), content_type="application/json", status=400)
    return HttpResponse(to_json(chart_data(unit, period.time_range)), content_type="application/json")


@require_GET
@login_required
@needs(GET=actions.VIEW_READINGS)
@from_replica
def unit_csv(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Stream the unit's readings in the requested range as the REST API's CSV; 400 for an invalid range."""
    unit = _unit_of(request, public_id, UNIT)
    try:
        period = requested_range(request.GET, unit.pk, unit.facility.zone, timezone.now())
    except InvalidRange as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    response = stream(listing_of(unit, period.time_range), CSVRenderer.format)
    response.streaming_content = for_spreadsheets(iter(response))
    name = _export_name(unit, period.time_range.start.astimezone(unit.facility.zone))
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    return response


def _export_name(unit: StorageUnit, start: datetime) -> str:
    """Return the file name of an export: names of any script, or codes in place of names without any letter."""
    facility = unit.facility
    names = [(str(facility), facility.facility_code), (str(unit), unit.unit_code)]
    parts = [slugify(name, allow_unicode=True) or slugify(code, allow_unicode=True) for name, code in names]
    return "-".join([*filter(None, parts), f"from-{start:%Y-%m-%d}.csv"])


@from_replica
def _range_context(request: HttpRequest, unit: StorageUnit, period: RequestedRange) -> dict[str, object]:
    time_range = period.time_range
    summaries = statistics([unit.pk], time_range.start, time_range.end)
    # Up to now, like the statistics: how long the newest reading stays valid is not known yet.
    try:
        outside, is_too_much = time_outside(unit.pk, TimeRange(summaries.start, summaries.end)), False
    except TooMuchOutside:
        outside, is_too_much = None, True
    return {
        "period": period,
        "ranges": PRESET_NAMES.items(),
        "statistics": present_statistics(summaries, outside, unit.temperature_unit),
        "is_too_much_outside": is_too_much,
        "table": table_page(unit, time_range, request.GET.get("cursor", "")),
    }


def _unit_of(request: HttpRequest, public_id: UUID, units: CompiledObjectQuery[StorageUnit]) -> StorageUnit:
    """Return the visible unit with its related objects. Raises Http404 for any other."""
    try:
        return units.visible_to(page_principal(request).scope, public_id)
    except StorageUnit.DoesNotExist as error:
        raise Http404 from error
