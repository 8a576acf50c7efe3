"""What the chart of a unit shows besides its readings: excursions, and the limits that were in force."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alarms.limits.versions import versions_by_unit
from alarms.models import Excursion, LimitVersion
from alarms.selectors import ExcursionFilter, visible_excursions
from core.api.renderers import to_json
from core.scope import Scope
from customers.access import actions
from customers.access.page_principal import needs, page_principal
from customers.models import StorageUnit
from readings.series.chart import milliseconds
from readings.time_ranges import TimeRange
from readings.units.condition import Bounds
from readings.units.scales import from_celsius
from readings.web.ranges import InvalidRange, requested_range

# A thousandth of a degree is below any sensor's accuracy.
_DECIMALS = 3
Line = list[float | None]


class LimitsOfPeriod(TypedDict):
    """The limits in force from `start` to `end`, in ms since 1970: lower and upper, on the unit's scale."""

    start: int
    end: int
    warning: Line
    critical: Line


class ExcursionOfChart(TypedDict):
    """An excursion with its times in ms since 1970; `end` is None while it is ongoing."""

    start: int
    end: int | None
    severity: str


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_ALARMS)
def unit_excursions(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the excursions and limits of a unit in the requested range as JSON; 400 for an invalid range."""
    scope = page_principal(request).scope
    unit = get_object_or_404(StorageUnit.objects.visible_to(scope).select_related("facility"), public_id=public_id)
    now = timezone.now()
    try:
        time_range = requested_range(request.GET, unit.pk, unit.facility.zone, now).time_range
    except InvalidRange as error:
        return HttpResponse(to_json({"error": str(error)}), content_type="application/json", status=400)
    versions = versions_by_unit([unit.pk])[unit.pk]
    data = {
        "excursions": _excursions(scope, public_id, time_range),
        # Ongoing excursions are known until then.
        "until": milliseconds(min(time_range.end, now)),
        "limits": limits_of_periods(versions, time_range, unit.temperature_unit),
    }
    return HttpResponse(to_json(data), content_type="application/json")


def limits_of_periods(versions: Iterable[LimitVersion], time_range: TimeRange, scale: str) -> list[LimitsOfPeriod]:
    """Return the limits in force in each part of the range; `versions` are those of a unit, in order of time."""
    ordered = list(versions)
    ends = [version.valid_from for version in ordered[1:]] + [time_range.end]
    periods: list[LimitsOfPeriod] = []
    for version, valid_until in zip(ordered, ends, strict=True):
        start, end = max(version.valid_from, time_range.start), min(valid_until, time_range.end)
        if start >= end:
            continue
        lines = _lines(version, scale)
        if periods and (periods[-1]["warning"], periods[-1]["critical"]) == lines:
            periods[-1]["end"] = milliseconds(end)
        else:
            warning, critical = lines
            periods.append(
                {"start": milliseconds(start), "end": milliseconds(end), "warning": warning, "critical": critical}
            )
    return periods


def _excursions(scope: Scope, unit_id: UUID, time_range: TimeRange) -> list[ExcursionOfChart]:
    wanted = ExcursionFilter(
        kind=Excursion.Kind.TEMPERATURE, unit_id=unit_id, start=time_range.start, end=time_range.end
    )
    rows = visible_excursions(scope, wanted).values_list("started_at", "ended_at", "severity")
    return [
        {"start": milliseconds(start), "end": None if end is None else milliseconds(end), "severity": severity}
        for start, end, severity in rows
    ]


def _lines(version: LimitVersion, scale: str) -> tuple[Line, Line]:
    limits = version.limits
    warning, critical = (limits.low_warning_c, limits.high_warning_c), (limits.low_critical_c, limits.high_critical_c)
    return _on_scale(warning, scale), _on_scale(critical, scale)


def _on_scale(bounds: Bounds, scale: str) -> Line:
    return [None if bound is None else round(from_celsius(bound, scale), _DECIMALS) for bound in bounds]
