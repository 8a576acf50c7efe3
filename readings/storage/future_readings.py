"""Readings dated ahead of their arrival: stored once like all others, but without effect until their time has come.

A device whose clock is fast, or set to another time zone, reports what it measures now as of tomorrow. Such a reading
is not the unit's latest, is in no list, chart or statistic, and neither begins nor ends an excursion. Until its time
has come it is kept in a table of its own, so that no query needs to leave it out; `store` compares repeated rows with
both. Then `store_due` moves it to the readings, with the same effects as if it had just arrived.

A transaction that moves a unit's readings holds the unit's lock, as one that stores does: a second one finds nothing
left to move.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from readings.models import FutureReading
from readings.storage import store_sql
from readings.storage.store import CLOCK_TOLERANCE, NewSpan, lock_units


def units_with_due(now: datetime) -> list[int]:
    """Return the ids of the units with future readings whose time has come."""
    due = FutureReading.objects.filter(recorded_at__lte=now + CLOCK_TOLERANCE)
    return list(due.order_by("storage_unit_id").values_list("storage_unit_id", flat=True).distinct())


@transaction.atomic
def store_due(unit_id: int, now: datetime) -> dict[int, NewSpan]:
    """Turn the unit's future readings whose time has come into readings; return their span, as `store` does.

    The store has made the partitions of their months when they arrived.
    """
    lock_units([unit_id])
    with connection.cursor() as cursor:
        cursor.execute(store_sql.STORE_DUE, {"unit_id": unit_id, "until": now + CLOCK_TOLERANCE})
        rows: list[tuple[int, int, datetime, datetime, datetime]] = cursor.fetchall()
    return {unit_id: NewSpan(first, last) for unit_id, _, first, last, _ in rows}


def exists(unit_id: int, sensor_id: int, recorded_at: datetime) -> bool:
    """Return whether a future reading is stored for this key."""
    return FutureReading.objects.filter(storage_unit=unit_id, sensor_id=sensor_id, recorded_at=recorded_at).exists()
