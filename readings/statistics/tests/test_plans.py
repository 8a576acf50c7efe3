"""Statistics of short periods cost the same however long the history is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core.db.prepared import Parameters
from readings.statistics import totals_sql
from tests.factories import StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_hours_outside_the_period_are_not_read_of_a_single_unit() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [5.0] * 3_000, start=NOON - 3_000 * HOUR, every=HOUR)
    statement = totals_sql.hours("", by_sensor=False, with_weights=True)
    requested: Parameters = {
        "unit_ids": [unit.pk],
        "group_ids": [0],
        "firsts": [NOON - 2 * HOUR],
        "ends": [NOON],
        "buckets": [None],
    }

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE hourly_rollup")
        cursor.execute(f"PREPARE hours AS {statement._text}")
        cursor.execute(f"EXPLAIN EXECUTE hours{statement._arguments}", requested)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Scan using hourly_rollup_pkey" in plan
    assert "Seq Scan" not in plan
