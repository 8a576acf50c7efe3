"""Limits on the mean kinetic temperature of a window of time, as excursions of their own kind.

Windows end with whole UTC hours and are computed from refreshed hourly roll-ups, whose sums give the MKT exactly: a
month of readings per minute is 720 rows. A window counts once half of it is covered: a first warm hour is not yet a
warm month. New readings write a request, which is processed once the hours are refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from alarms.excursions.detector import DetectedExcursion, EffectiveLimits, limits_in_force
from alarms.excursions.mkt import Window, find_mkt_excursions
from alarms.excursions.reconcile import reconcile, stored_since
from alarms.excursions.units import evaluated_units
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.models import Excursion, MktCheck
from readings.models import HourlyRollup, LatestReading
from readings.storage.store import lock_units
from readings.storage.time_weighting import mean_kinetic_temperature_c

MIN_COVERAGE = 0.5
HOUR = timedelta(hours=1)
REQUEST = """
INSERT INTO mkt_check AS waiting (storage_unit_id, since)
SELECT unit_id, since FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[]) AS requested (unit_id, since)
ORDER BY unit_id
ON CONFLICT (storage_unit_id) DO UPDATE SET since = least(waiting.since, excluded.since)
"""
# The sums of the window that ends with each hour, over the hours before it.
WINDOWS = """
WITH hourly AS (
    SELECT hour, sum(weighted_arrhenius) AS arrhenius, sum(weighted_seconds) AS seconds, sum(covered_seconds) AS covered
    FROM hourly_rollup
    WHERE storage_unit_id = %(unit_id)s AND hour < %(last)s
        AND hour >= %(first)s::timestamptz - make_interval(secs => %(window_seconds)s)
    GROUP BY hour
),
window_end AS (SELECT ends_at FROM generate_series(%(first)s::timestamptz, %(last)s, interval '1 hour') AS ends_at)
SELECT ends_at, sum(arrhenius), sum(seconds), sum(covered)
FROM window_end JOIN hourly ON hour >= ends_at - make_interval(secs => %(window_seconds)s) AND hour < ends_at
GROUP BY ends_at ORDER BY ends_at
"""


def request(since_by_unit: Mapping[int, datetime]) -> None:
    """Request that the windows of these units that contain anything from then on are checked."""
    if since_by_unit:
        parameters: dict[str, list[int] | list[datetime]] = {
            "unit_ids": list(since_by_unit),
            "since": list(since_by_unit.values()),
        }
        with connection.cursor() as cursor:
            cursor.execute(REQUEST, parameters)


def run_requested_checks(now: datetime | None = None) -> int:
    """Check the requested windows, one transaction per unit; return the number of units.

    A unit whose hours are still stale is left to the next run.
    """
    now = now or timezone.now()
    waiting = MktCheck.objects.order_by("requested_at").values_list("pk", flat=True)
    return sum(_run_check(unit_id, now) for unit_id in waiting)


@transaction.atomic
def _run_check(unit_id: int, now: datetime) -> bool:
    # Transactions that store for the unit wait: they add a request of their own.
    lock_units([unit_id])
    requested = MktCheck.objects.filter(pk=unit_id).first()
    newest = LatestReading.objects.filter(storage_unit=unit_id).values_list("recorded_at", flat=True).first()
    if requested is None or newest is None:
        return False
    last = newest.replace(minute=0, second=0, microsecond=0)
    since = _since(unit_id, requested.since)
    if HourlyRollup.objects.filter(storage_unit=unit_id, is_settled=False, hour__lt=last).exists():
        return False
    unit = evaluated_units([unit_id])[0]
    found: list[DetectedExcursion] = []
    for version, begins, ends in limits_in_force(unit.versions, since, last):
        found += _excursions(unit_id, version, begins, ends, is_ongoing=ends == last)
    stored = stored_since(unit_id, Excursion.Kind.MKT, since)
    update_alarms(reconcile([unit.replacement(Excursion.Kind.MKT, found, stored)], now), now)
    requested.delete()
    return True


def _since(unit_id: int, since: datetime) -> datetime:
    """Return the end of the first window to check: before the first new reading, and not inside an excursion."""
    since = since.replace(minute=0, second=0, microsecond=0)
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.MKT)
    touched = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("started_at").first()
    return since if touched is None else min(since, touched.started_at)


def _excursions(
    unit_id: int, version: EffectiveLimits, begins: datetime, ends: datetime, *, is_ongoing: bool
) -> list[DetectedExcursion]:
    if version.limits.mkt_limit_c is None:
        return []
    first = begins.replace(minute=0, second=0, microsecond=0)
    found = find_mkt_excursions(_windows(unit_id, version, first if first >= begins else first + HOUR, ends), version)
    if found and found[-1].ended_at is None and not is_ongoing:
        found[-1].ended_at = ends
    return found


def _windows(unit_id: int, version: EffectiveLimits, first: datetime, last: datetime) -> list[Window]:
    window_seconds = version.limits.mkt_window_seconds
    parameters: dict[str, float | datetime] = {
        "unit_id": unit_id,
        "first": first,
        "last": last,
        "window_seconds": window_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, parameters)
        rows = cursor.fetchall()
    min_seconds = MIN_COVERAGE * window_seconds
    return [
        Window(ends_at, mean_kinetic_temperature_c(arrhenius, seconds) if covered >= min_seconds else None)
        for ends_at, arrhenius, seconds, covered in rows
    ]
