"""Settling and rebuilding the roll-ups.

What a roll-up counts and adds is folded by the store as rows arrive. What is weighted by time depends on neighbouring
readings, so the fold only marks the hours and days it touched; `settle` computes their time-weighted columns from the
raw readings (an hour) and from settled hours (a day).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from customers.models import MAX_STALENESS_LIMIT_SECONDS, StorageUnit
from readings.models import Reading
from readings.storage import rollups_sql
from readings.storage.store import lock_units

UNITS_A_BATCH = 200
HOURS_A_BATCH = 2_000
DAYS_A_BATCH = 500
# What stood when a stretch began was recorded at most this long before.
LONGEST_GAP = timedelta(seconds=MAX_STALENESS_LIMIT_SECONDS)


def settle(*, deadline: datetime | None = None) -> int:
    """Settle what is unsettled; return how many hours and days were.

    Runs in small transactions of its own, until nothing is left or the deadline has passed. Units that are being
    stored to are passed over: that store unsettles them anew, and the next run finds them.
    """
    settled = 0
    while batch := _settle_batch():
        settled += batch
        if deadline is not None and timezone.now() > deadline:
            break
    return settled


@transaction.atomic
def _settle_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.LOCK_UNSETTLED_UNITS, [UNITS_A_BATCH])
        unit_ids = [unit_id for (unit_id,) in cursor.fetchall()]
    return _settle_hours(unit_ids) + _settle_days(unit_ids) if unit_ids else 0


def _settle_hours(unit_ids: list[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.UNSETTLED_HOURS, {"unit_ids": unit_ids, "most": HOURS_A_BATCH})
        taken = cursor.fetchall()
        if taken:
            units, hours = zip(*taken, strict=True)
            cursor.execute(
                rollups_sql.SETTLE_HOURS,
                {
                    "unit_ids": list(units),
                    "hours": list(hours),
                    "earliest": min(hours) - LONGEST_GAP,
                    "latest": max(hours) + timedelta(hours=1),
                },
            )
    return len(taken)


def _settle_days(unit_ids: list[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.UNSETTLED_DAYS, {"unit_ids": unit_ids, "most": DAYS_A_BATCH})
        taken = cursor.fetchall()
        if taken:
            units, local_dates, starts, ends = zip(*taken, strict=True)
            cursor.execute(
                rollups_sql.SETTLE_DAYS,
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
    """Make all roll-ups and the latest reading of these units anew from their readings, a transaction a unit.

    For when a facility's time zone or a unit's gap limit has changed. Leaves the roll-ups unsettled.
    """
    for unit_id in sorted(unit_ids):
        with transaction.atomic(), connection.cursor() as cursor:
            lock_units([unit_id])
            cursor.execute(rollups_sql.DROP_ROLLUPS, {"unit_id": unit_id})
            cursor.execute(rollups_sql.FOLD_STORED, {"unit_id": unit_id})


@transaction.atomic
def recount(unit: StorageUnit, sensor_id: int, recorded_at: datetime) -> None:
    """Make true again what a changed reading of `unit` at `recorded_at` makes untrue; leave that unsettled."""
    lock_units([unit.pk])
    with connection.cursor() as cursor:
        cursor.execute(
            rollups_sql.RECOUNT,
            {
                "unit_id": unit.pk,
                "sensor_id": sensor_id,
                "recorded_at": recorded_at,
                "staleness_limit": f"{unit.effective_staleness_limit_seconds} seconds",
            },
        )


@transaction.atomic
def replace(
    unit: StorageUnit,
    sensor_id: int,
    recorded_at: datetime,
    *,
    temperature_c: float | None,
    scale: str,
    quality_score: float,
    equipment_status_id: int,
) -> float | None:
    """Replace the stored measurement of (unit, sensor, time); return the temperature that stood there.

    Roll-ups and the latest reading follow. Raises Reading.DoesNotExist.
    """
    lock_units([unit.pk])
    stored = Reading.objects.filter(storage_unit=unit, sensor_id=sensor_id, recorded_at=recorded_at)
    before = stored.get().temperature_c
    stored.update(
        temperature_c=temperature_c,
        scale=scale,
        quality_score=quality_score,
        equipment_status_id=equipment_status_id,
    )
    recount(unit, sensor_id, recorded_at)
    return before
