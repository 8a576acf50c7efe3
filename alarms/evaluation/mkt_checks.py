"""Limits on the mean kinetic temperature of a window of time, as excursions of their own kind.

Windows end with whole UTC hours and are computed from refreshed hourly roll-ups, whose sums give the MKT exactly: a
month of readings per minute is 720 rows. A window that is over counts if at least half of it is covered: a first warm
hour is not yet a warm month, and what was measured counts for as long as it fills half of a window, even after the
newest reading. New readings write a request, which is processed once the hours are refreshed and remains until every
window that can be covered by half is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from alarms.evaluation.isolation import Part, Spans, begin_retry, evaluate_part, retry_part
from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.excursions.detector import limits_in_force
from alarms.excursions.mkt import MktWindow, find_mkt_excursions
from alarms.excursions.reconcile import reconcile, stored_of_units
from alarms.excursions.units import EvaluatedUnit, evaluated_units
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.models import EvaluationFailure, Excursion, LimitVersion, MktCheck
from core.db.attempts import begin_attempt, begin_first_attempts
from readings.models import HourlyRollup, RollupRebuild
from readings.storage.store import NewSpan, lock_free_units, lock_units
from readings.storage.time_weighting import mean_kinetic_temperature_c
from readings.time_ranges import HOUR, hour_of

MIN_COVERAGE = 0.5
# Of a transaction: statements and their overhead are shared, and its locks are soon released.
UNITS_AT_ONCE, WINDOWS_AT_ONCE = 200, 5_000
TICK = datetime.resolution
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
REQUEST = """
INSERT INTO mkt_check AS waiting (storage_unit_id, since)
SELECT unit_id, since FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[]) AS requested (unit_id, since)
ORDER BY unit_id
ON CONFLICT (storage_unit_id) DO UPDATE SET since = least(waiting.since, excluded.since), due_at = NULL
"""
NEWEST_HOURS = """
SELECT unit_id, (SELECT hour FROM hourly_rollup WHERE storage_unit_id = unit_id ORDER BY hour DESC LIMIT 1)
FROM unnest(%s::int[]) AS unit_id
"""
# The first excursion of each unit that may contain anything from an instant on.
TOUCHED = """
SELECT requested.unit_id, min(started_at)
FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[]) AS requested (unit_id, since)
JOIN excursion ON storage_unit_id = requested.unit_id AND kind = 'mkt'
    AND (ended_at IS NULL OR ended_at >= requested.since)
GROUP BY requested.unit_id
"""
# Of each period the sums of the window that ends with each hour, over the hours before it.
WINDOWS = """
SELECT number, ends_at, arrhenius, seconds, covered
FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(window_seconds)s::int[])
    WITH ORDINALITY AS period (unit_id, first, last, window_seconds, number)
CROSS JOIN LATERAL (
    WITH hourly AS (
        SELECT hour, sum(weighted_arrhenius) AS arrhenius, sum(weighted_seconds) AS seconds,
            sum(covered_seconds) AS covered
        FROM hourly_rollup
        WHERE storage_unit_id = period.unit_id AND hour < period.last
            AND hour >= period.first - make_interval(secs => period.window_seconds)
        GROUP BY hour
    )
    SELECT ends_at, sum(arrhenius) AS arrhenius, sum(seconds) AS seconds, sum(covered) AS covered
    FROM generate_series(period.first, period.last, interval '1 hour') AS ends_at
    JOIN hourly ON hour >= ends_at - make_interval(secs => period.window_seconds) AND hour < ends_at
    GROUP BY ends_at
) AS windows
ORDER BY number, ends_at
"""


class _Period(NamedTuple):
    """A part of the time to check of a unit, in which a version of its limits is in force.

    Its windows end from `first` to `last`. ends_at: when the version was replaced, None while it is in force.
    """

    unit_id: int
    version: EffectiveLimits
    first: datetime
    last: datetime
    ends_at: datetime | None


def request(since_by_unit: Mapping[int, datetime]) -> None:
    """Request that the windows of these units that contain anything from then on are checked."""
    if since_by_unit:
        parameters: dict[str, list[int] | list[datetime]] = {
            "unit_ids": list(since_by_unit),
            "since": list(since_by_unit.values()),
        }
        with connection.cursor() as cursor:
            cursor.execute(REQUEST, parameters)


def run_requested_checks(now: datetime | None = None, *, deadline: datetime | None = None) -> int:
    """Check the requested windows that are over, of many units in a transaction; return the number of units checked.

    A unit with stale hours, or that waits to be rebuilt or is being stored to, is left to the next run. A check that
    fails is recorded as an EvaluationFailure and retried with increasing delays. After an interruption, perhaps because
    a check ended the process, its unit is checked alone. Stop at `deadline`.
    """
    now = now or timezone.now()
    checked = 0
    for unit_ids in _groups(_units_to_check(now), now):
        if deadline is not None and timezone.now() > deadline:
            break
        together = _begin_together(unit_ids, now)
        checked += _run_checks(together, now)
        for unit_id in unit_ids:
            if unit_id not in together and _begin(unit_id, now):
                checked += _run_checks([unit_id], now)
    return checked


def _groups(unit_ids: Sequence[int], now: datetime) -> Iterator[list[int]]:
    """Divide units, so that those of a group have a bounded number of windows together."""
    since = dict(MktCheck.objects.filter(pk__in=unit_ids).values_list("pk", "since"))
    group: list[int] = []
    windows = 0
    for unit_id in unit_ids:
        own = (now - since.get(unit_id, now)) // HOUR + 1
        if group and (len(group) == UNITS_AT_ONCE or windows + own > WINDOWS_AT_ONCE):
            yield group
            group, windows = [], 0
        group.append(unit_id)
        windows += own
    if group:
        yield group


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
    stale = HourlyRollup.objects.filter(storage_unit__in=unit_ids, is_settled=False, hour__lt=hour_of(now))
    rebuilt = RollupRebuild.objects.filter(pk__in=unit_ids)
    return {*stale.values_list("storage_unit_id", flat=True), *rebuilt.values_list("pk", flat=True)}


def _begin_together(unit_ids: Sequence[int], now: datetime) -> list[int]:
    """Count the first attempts of these units' checks before they begin, and return these units, by id."""
    failures = EvaluationFailure.objects.filter(storage_unit__in=unit_ids, part=Part.MKT)
    requests = MktCheck.objects.filter(pk__in=unit_ids)
    failed, requested = set(failures.values_list("storage_unit", flat=True)), set(requests.values_list("pk", flat=True))
    request({unit_id: hour_of(now) for unit_id in unit_ids if unit_id not in failed | requested})
    return begin_first_attempts(requests.exclude(pk__in=failed), now)


def _begin(unit_id: int, now: datetime) -> bool:
    """Count another attempt, of the check or of its retry, before it begins; return False if none is due."""
    failure_id = EvaluationFailure.objects.filter(storage_unit=unit_id, part=Part.MKT).values_list("pk", flat=True)
    return begin_retry(failure_id[0], now) if failure_id else begin_attempt(MktCheck, unit_id, now)


@transaction.atomic
def _run_checks(unit_ids: Sequence[int], now: datetime) -> int:
    # Transactions that store for the units wait: they add a request of their own.
    locked = _lock(unit_ids)
    ready = set(locked) - _units_to_refresh(locked, now)
    MktCheck.objects.filter(pk__in=set(unit_ids) - ready, attempts=1).update(attempts=0, next_attempt_at=None)
    since = dict.fromkeys(sorted(ready), hour_of(now))
    since |= MktCheck.objects.filter(pk__in=ready).values_list("pk", "since")
    spans = {unit_id: NewSpan(at, at) for unit_id, at in since.items()}
    checked = 0
    for failure in EvaluationFailure.objects.filter(storage_unit__in=ready, part=Part.MKT):
        failure.first_at = min(failure.first_at, spans.pop(failure.storage_unit_id).first)
        checked += retry_part(failure, check_units, now) is not None
    return checked + len(evaluate_part(Part.MKT, check_units, spans, now))


def _lock(unit_ids: Sequence[int]) -> Sequence[int]:
    """Lock these units and return them; of several only those that nobody stores for, as the others would wait too."""
    if len(unit_ids) > 1:
        return lock_free_units(unit_ids)
    lock_units(list(unit_ids))
    return unit_ids


def check_units(spans: Spans, now: datetime) -> Spans:
    """Check the windows of these units that contain anything from the beginning of their spans on, until now."""
    units, last = evaluated_units(list(spans)), hour_of(now)
    finals = _last_covered_windows(units)
    since = _since({unit_id: hour_of(span.first) for unit_id, span in spans.items()})
    periods = [
        period for unit in units for period in _periods(unit, since[unit.unit_id], min(last, finals[unit.unit_id]), now)
    ]
    found: dict[int, list[DetectedExcursion]] = {unit.unit_id: [] for unit in units}
    for period, windows in zip(periods, _windows(periods), strict=True):
        found[period.unit_id] += _excursions(windows, period.version, period.ends_at)
    stored = stored_of_units(since, Excursion.Kind.MKT)
    replacements = [unit.replacement(Excursion.Kind.MKT, found[unit.unit_id], stored[unit.unit_id]) for unit in units]
    update_alarms(reconcile(replacements, now), now)
    MktCheck.objects.filter(pk__in=spans).delete()
    MktCheck.objects.bulk_create(
        MktCheck(storage_unit_id=unit_id, since=last + HOUR, due_at=last + HOUR)
        for unit_id, final in finals.items()
        if last < final
    )
    return spans


def _periods(unit: EvaluatedUnit, since: datetime, final: datetime, now: datetime) -> Iterator[_Period]:
    """Yield the periods of a unit's limits; the last window that counts ends with `final`."""
    # Limits that replace others within the current hour end their excursion, though no window of their own is over.
    for version, begins, ends in limits_in_force(unit.versions, since, now + TICK):
        is_ongoing = ends > now
        first, last = hour_of(begins - TICK) + HOUR, hour_of(min(final, final if is_ongoing else ends - TICK))
        yield _Period(unit.unit_id, version, first, last, None if is_ongoing else ends)


def _last_covered_windows(units: Sequence[EvaluatedUnit]) -> dict[int, datetime]:
    """Return the end of the last window of each unit that can be covered by half."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_HOURS, [[unit.unit_id for unit in units]])
        newest = dict(cursor.fetchall())
    longest = {
        unit.unit_id: timedelta(seconds=max(version.limits.mkt_window_seconds for version in unit.versions))
        for unit in units
    }
    return {
        unit_id: hour_of((newest[unit_id] or EARLIEST) + HOUR + window * MIN_COVERAGE)
        for unit_id, window in longest.items()
    }


def _since(first: Mapping[int, datetime]) -> dict[int, datetime]:
    """Return the end of the first window to check: before the first new reading, and not inside an excursion."""
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, {"unit_ids": list(first), "since": list(first.values())})
        touched = dict(cursor.fetchall())
    return {unit_id: min(since, touched.get(unit_id, since)) for unit_id, since in first.items()}


def _excursions(
    windows: Sequence[MktWindow], version: EffectiveLimits, ends: datetime | None
) -> list[DetectedExcursion]:
    """Return the excursions of the version's windows; one that is ongoing when its validity ends, ends with it."""
    found = find_mkt_excursions(windows, version)
    if found and found[-1].ended_at is None:
        found[-1].ended_at = ends
    return found


def _windows(periods: Sequence[_Period]) -> list[list[MktWindow]]:
    """Return the windows of each period by its version's limits, which end with a whole hour."""
    windows: list[list[MktWindow]] = [[] for _ in periods]
    limited = [number for number, period in enumerate(periods) if period.version.limits.mkt_limit_c is not None]
    if not limited:
        return windows
    chosen = [periods[number] for number in limited]
    parameters: dict[str, list[int] | list[datetime]] = {
        "unit_ids": [period.unit_id for period in chosen],
        "firsts": [period.first for period in chosen],
        "lasts": [period.last for period in chosen],
        "window_seconds": [period.version.limits.mkt_window_seconds for period in chosen],
    }
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, parameters)
        rows = cursor.fetchall()
    for number, ends_at, arrhenius, seconds, covered in rows:
        period = chosen[number - 1]
        is_covered = covered >= MIN_COVERAGE * period.version.limits.mkt_window_seconds
        mkt_c = mean_kinetic_temperature_c(arrhenius, seconds) if is_covered else None
        windows[limited[number - 1]].append(MktWindow(ends_at, mkt_c))
    return windows
