"""Limits on the mean kinetic temperature of a window of time, as excursions of their own kind.

Windows end with whole UTC hours and are computed from refreshed hourly roll-ups, whose sums give the MKT exactly: a
month of readings per minute is 720 rows. A window that is over counts if at least half of it is covered: a first warm
hour is not yet a warm month, and what was measured counts for as long as it fills half of a window, even after the
newest reading. New readings write a request, which is processed once the hours are refreshed and remains until every
window that can be covered by half is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from alarms.evaluation.isolation import Part, Spans, begin_retry, evaluate_part, retry_part
from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.excursions.detector import limits_in_force
from alarms.excursions.mkt import MktWindow, find_mkt_excursions
from alarms.excursions.reconcile import reconcile, stored_since
from alarms.excursions.units import EvaluatedUnit, evaluated_units
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.models import EvaluationFailure, Excursion, LimitVersion, MktCheck
from core.db.attempts import begin_attempt
from readings.models import HourlyRollup, RollupRebuild
from readings.storage.store import NewSpan, lock_units
from readings.storage.time_weighting import mean_kinetic_temperature_c

MIN_COVERAGE = 0.5
HOUR = timedelta(hours=1)
TICK = datetime.resolution
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
REQUEST = """
INSERT INTO mkt_check AS waiting (storage_unit_id, since)
SELECT unit_id, since FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[]) AS requested (unit_id, since)
ORDER BY unit_id
ON CONFLICT (storage_unit_id) DO UPDATE SET since = least(waiting.since, excluded.since), due_at = NULL
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
    """Check the requested windows that are over, one transaction per unit; return the number of units checked.

    A unit whose hours are stale or wait to be rebuilt is left to the next run. One whose check fails is recorded as an
    EvaluationFailure and retried with increasing delays, as is one whose check ends the process.
    """
    now = now or timezone.now()
    return sum(_begin(unit_id, now) and _run_check(unit_id, now) for unit_id in _units_to_check(now))


def _units_to_check(now: datetime) -> list[int]:
    """Return the units with due requests or retries, and those with an ongoing excursion of limits of the past."""
    due = MktCheck.objects.filter(Q(due_at=None) | Q(due_at__lte=now)).order_by("requested_at")
    later = LimitVersion.objects.filter(
        storage_unit=OuterRef("storage_unit"),
        valid_from__gt=OuterRef("limit_version__valid_from"),
        valid_from__lte=now,
        superseded_at=None,
    )
    outdated = Excursion.objects.filter(Exists(later), kind=Excursion.Kind.MKT, ended_at=None)
    # A request that could not be written is only known as a failure.
    failures = EvaluationFailure.objects.filter(part=Part.MKT).order_by("next_attempt_at")
    next_attempts = dict(failures.values_list("storage_unit_id", "next_attempt_at"))
    waiting = {unit_id for unit_id, next_attempt_at in next_attempts.items() if next_attempt_at > now}
    unit_ids = [
        *due.values_list("pk", flat=True),
        *outdated.values_list("storage_unit_id", flat=True),
        *next_attempts,
    ]
    waiting |= _units_to_refresh(unit_ids, now)
    return [unit_id for unit_id in dict.fromkeys(unit_ids) if unit_id not in waiting]


def _units_to_refresh(unit_ids: Sequence[int], now: datetime) -> set[int]:
    """Return which of these units have stale hours that are over, or wait for their roll-ups to be rebuilt."""
    stale = HourlyRollup.objects.filter(storage_unit__in=unit_ids, is_settled=False, hour__lt=_hour_of(now))
    rebuilt = RollupRebuild.objects.filter(pk__in=unit_ids)
    return {*stale.values_list("storage_unit_id", flat=True), *rebuilt.values_list("pk", flat=True)}


def _begin(unit_id: int, now: datetime) -> bool:
    """Count an attempt of the check before it begins; return False if none is due."""
    failure_id = EvaluationFailure.objects.filter(storage_unit=unit_id, part=Part.MKT).values_list("pk", flat=True)
    if failure_id:
        return begin_retry(failure_id[0], now)
    if not MktCheck.objects.filter(pk=unit_id).exists():
        request({unit_id: _hour_of(now)})
    return begin_attempt(MktCheck, unit_id, now)


@transaction.atomic
def _run_check(unit_id: int, now: datetime) -> bool:
    # Transactions that store for the unit wait: they add a request of their own.
    lock_units([unit_id])
    if _units_to_refresh([unit_id], now):
        return False
    requested = MktCheck.objects.filter(pk=unit_id).first()
    since = _hour_of(now) if requested is None else requested.since
    failure = EvaluationFailure.objects.filter(storage_unit=unit_id, part=Part.MKT).first()
    if failure is None:
        return bool(evaluate_part(Part.MKT, check_units, {unit_id: NewSpan(since, since)}, now))
    failure.first_at = min(failure.first_at, since)
    return retry_part(failure, check_units, now) is not None


def check_units(spans: Spans, now: datetime) -> Spans:
    """Check the windows of these units that contain anything from the beginning of their spans on, until now."""
    for unit_id, span in spans.items():
        _check_unit(unit_id, span.first, now)
    return spans


def _check_unit(unit_id: int, since: datetime, now: datetime) -> None:
    unit, last = evaluated_units([unit_id])[0], _hour_of(now)
    final = _last_covered_window(unit)
    since = _since(unit_id, since)
    found: list[DetectedExcursion] = []
    # Limits that replace others within the current hour end their excursion, though no window of their own is over.
    for version, begins, ends in limits_in_force(unit.versions, since, max(last, now) + TICK):
        is_ongoing = ends > max(last, now)
        windows = _windows(unit_id, version, begins, min(last if is_ongoing else ends - TICK, final))
        found += _excursions(windows, version, None if is_ongoing else ends)
    stored = stored_since(unit_id, Excursion.Kind.MKT, since)
    update_alarms(reconcile([unit.replacement(Excursion.Kind.MKT, found, stored)], now), now)
    MktCheck.objects.filter(pk=unit_id).delete()
    if last < final:
        MktCheck.objects.create(storage_unit_id=unit_id, since=last + HOUR, due_at=last + HOUR)


def _last_covered_window(unit: EvaluatedUnit) -> datetime:
    """Return the end of the last window that can be covered by half."""
    hours = HourlyRollup.objects.filter(storage_unit=unit.unit_id).order_by("-hour").values_list("hour", flat=True)
    longest = max(timedelta(seconds=version.limits.mkt_window_seconds) for version in unit.versions)
    return _hour_of((hours.first() or EARLIEST) + HOUR + longest * MIN_COVERAGE)


def _since(unit_id: int, since: datetime) -> datetime:
    """Return the end of the first window to check: before the first new reading, and not inside an excursion."""
    since = _hour_of(since)
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.MKT)
    touched = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("started_at").first()
    return since if touched is None else min(since, touched.started_at)


def _excursions(
    windows: Sequence[MktWindow], version: EffectiveLimits, ends: datetime | None
) -> list[DetectedExcursion]:
    """Return the excursions of the version's windows; one that is ongoing when its validity ends, ends with it."""
    found = find_mkt_excursions(windows, version)
    if found and found[-1].ended_at is None:
        found[-1].ended_at = ends
    return found


def _hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _windows(unit_id: int, version: EffectiveLimits, since: datetime, until: datetime) -> list[MktWindow]:
    """Return the windows by the version's limits that end with a whole hour from `since` to `until`."""
    if version.limits.mkt_limit_c is None:
        return []
    window_seconds = version.limits.mkt_window_seconds
    parameters: dict[str, float | datetime] = {
        "unit_id": unit_id,
        "first": _hour_of(since - TICK) + HOUR,
        "last": _hour_of(until),
        "window_seconds": window_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, parameters)
        rows = cursor.fetchall()
    min_seconds = MIN_COVERAGE * window_seconds
    return [
        MktWindow(ends_at, mean_kinetic_temperature_c(arrhenius, seconds) if covered >= min_seconds else None)
        for ends_at, arrhenius, seconds, covered in rows
    ]
