"""Refreshing, rebuilding and recounting the roll-ups.

Counts and sums are updated by the store as rows arrive. Time-weighted values depend on neighbouring readings, so the
store only marks the hours and days it touched as stale; `refresh` computes their time-weighted columns from raw
readings (an hour) and from refreshed hours (a day).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.utils import timezone

from core.db.attempts import error_text, next_attempt_at
from core.db.savepoints import divided
from customers.models import StorageUnit
from readings.models import RollupRebuild
from readings.storage import rollups_sql
from readings.storage.archive.reading import recall, recall_each
from readings.storage.store import lock_units
from readings.storage.time_weighting import LONGEST_GAP

logger = structlog.get_logger(__name__)

UNITS_A_BATCH = 200
HOURS_A_BATCH = 2_000
DAYS_A_BATCH = 500
# Before every reading.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def refresh(*, deadline: datetime | None = None) -> int:
    """Refresh stale hours and days; return their number.

    Runs in small transactions of its own, once through all units or until the deadline has passed. Units that are being
    stored to are skipped: that transaction marks them as stale again, and the next run finds them. Units that cannot be
    refreshed are left to `readings.storage.rebuilds`, which retries them with increasing delays.
    """
    refreshed = first_id = 0
    while (batch := _refresh_batch(first_id)).refreshed:
        refreshed += batch.refreshed
        # What a batch has left is found again. Units before it are not searched again, as polls mark them as stale all
        # the time.
        first_id = batch.first_id
        if deadline is not None and timezone.now() > deadline:
            break
    return refreshed


def settle(unit_id: int) -> None:
    """Refresh all stale hours and days of a unit, in small transactions of its own."""
    while True:
        with transaction.atomic():
            lock_units([unit_id])
            # A smaller batch was the last one, unless the unit is being stored to.
            if _refresh_units([unit_id]) < DAYS_A_BATCH:
                return


class _Batch(NamedTuple):
    """The first unit of a batch, and its number of hours and days, and of units set aside."""

    first_id: int
    refreshed: int


@transaction.atomic
def _refresh_batch(first_id: int) -> _Batch:
    """Refresh the next stale units from this id on."""
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.LOCK_STALE_UNITS, [first_id, UNITS_A_BATCH])
        unit_ids = [unit_id for (unit_id,) in cursor.fetchall()]
    failed: list[int] = []

    def set_aside(unit_ids: Sequence[int], error: Exception) -> None:
        _set_aside(unit_ids, error)
        failed.extend(unit_ids)

    refreshed = sum(divided(unit_ids, _refresh_units, set_aside))
    return _Batch(min(unit_ids, default=first_id), refreshed + len(failed))


def _refresh_units(unit_ids: Sequence[int]) -> int:
    return _refresh_hours(unit_ids) + _refresh_days(unit_ids)


def _set_aside(unit_ids: Sequence[int], error: Exception) -> None:
    """Leave these units to the rebuilds, as one of them cannot be refreshed."""
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    for unit_id in unit_ids:
        logger.error("roll-ups not refreshed", storage_unit_id=unit_id, exc_info=error)
        failure = {"attempts": 1, "next_attempt_at": next_attempt_at(1, timezone.now()), "error": error_text(error)}
        RollupRebuild.objects.update_or_create(storage_unit_id=unit_id, defaults=failure)


def _refresh_hours(unit_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.STALE_HOURS, {"unit_ids": list(unit_ids), "most": HOURS_A_BATCH})
        taken = cursor.fetchall()
        if taken:
            units, hours = zip(*taken, strict=True)
            recall_each([(unit_id, hour - LONGEST_GAP, hour + timedelta(hours=1)) for unit_id, hour in taken])
            cursor.execute(
                rollups_sql.REFRESH_HOURS,
                {
                    "unit_ids": list(units),
                    "hours": list(hours),
                    "earliest": min(hours) - LONGEST_GAP,
                    "latest": max(hours) + timedelta(hours=1),
                },
            )
    return len(taken)


def _refresh_days(unit_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.STALE_DAYS, {"unit_ids": list(unit_ids), "most": DAYS_A_BATCH})
        taken = cursor.fetchall()
        if taken:
            units, local_dates, starts, ends = zip(*taken, strict=True)
            recall_each([(unit_id, start - LONGEST_GAP, end) for unit_id, _, start, end in taken])
            cursor.execute(
                rollups_sql.REFRESH_DAYS,
                {
                    "unit_ids": list(units),
                    "local_dates": list(local_dates),
                    "starts": list(starts),
                    "ends": list(ends),
                    "earliest": min(starts) - LONGEST_GAP,
                    "latest": max(ends),
                },
            )
    return len(taken)


def rebuild(unit_ids: Iterable[int]) -> None:
    """Rebuild the roll-ups and the latest reading of these units from their readings, one transaction per unit.

    Used after a facility's time zone or a unit's staleness limit has changed. Leaves the roll-ups stale.
    """
    for unit_id in sorted(unit_ids):
        with transaction.atomic(), connection.cursor() as cursor:
            lock_units([unit_id])
            recall([unit_id], EVER, timezone.now())
            cursor.execute(rollups_sql.DROP_ROLLUPS, {"unit_id": unit_id})
            cursor.execute(rollups_sql.UPSERT_STORED, {"unit_id": unit_id})


@transaction.atomic
def recount(unit: StorageUnit, sensor_id: int, recorded_at: datetime) -> None:
    """Recompute what a changed reading of `unit` at `recorded_at` invalidates, and mark it stale."""
    lock_units([unit.pk])
    # The day of a reading begins and ends at most a day from it.
    recall([unit.pk], recorded_at - timedelta(days=1), recorded_at + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.RECOUNT, {"unit_id": unit.pk, "sensor_id": sensor_id, "recorded_at": recorded_at})
