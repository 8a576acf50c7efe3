"""How many readings each unit has before a date, so that totals of lists and of customers sum only the days since.

Otherwise each page of a list would sum every day of every unit: 69,000 rows for 94 units after two years.

A count ends at the beginning of a week that is at least `LEAST_AGE_DAYS` ago. A trigger deletes it when an earlier day
of its unit changes, whoever changes it: processes of an earlier version, too. Until the unit is counted again, all of
its days are summed. The trigger looks at days older than `WATCHED_AGE_DAYS`, so that what is usually stored costs
nothing; the difference is more than clocks and time zones can differ by.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import DateField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from customers.models import StorageUnit
from readings.models import DailyRollup, ReadingCount

LEAST_AGE_DAYS = 14
# In the triggers of the migration.
WATCHED_AGE_DAYS = 10
UNITS_A_BATCH = 500


def with_reading_counts(units: QuerySet[StorageUnit]) -> QuerySet[StorageUnit]:
    """Annotate units with the number of their readings as `reading_count`."""
    counted = ReadingCount.objects.filter(storage_unit=OuterRef("pk"))
    first = Coalesce(OuterRef("counted_before"), Value("-infinity"), output_field=DateField())
    days = DailyRollup.objects.filter(storage_unit=OuterRef("pk"), local_date__gte=first).order_by()
    since = days.values("storage_unit").annotate(total=Sum("reading_count")).values("total")
    return units.annotate(counted_before=Subquery(counted.values("before"))).annotate(
        reading_count=Coalesce(Subquery(counted.values("reading_count")), 0) + Coalesce(Subquery(since), 0)
    )


def count_readings() -> int:
    """Count the readings of units that have no count, or an earlier week's; return the number of these units.

    Runs in small transactions of its own. Units that are being stored to are left to the next run.
    """
    counted = last_id = 0
    while unit_ids := _count_batch(last_id):
        counted += len(unit_ids)
        last_id = unit_ids[-1]
    return counted


@transaction.atomic
def _count_batch(last_id: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_UNCOUNTED_UNITS, [last_id, UNITS_A_BATCH])
        unit_ids = [unit_id for (unit_id,) in cursor.fetchall()]
        if unit_ids:
            cursor.execute(COUNT_EARLIER_DAYS, [unit_ids])
    return unit_ids


_BEFORE = f"date_trunc('week', CURRENT_DATE - {LEAST_AGE_DAYS})::date"
# Locked as for storing: a day that another transaction is changing would be counted without the change.
LOCK_UNCOUNTED_UNITS = f"""
SELECT id FROM storage_unit
WHERE id > %s AND NOT EXISTS (SELECT FROM reading_count WHERE storage_unit_id = storage_unit.id AND before = {_BEFORE})
ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608  constants only
# What an earlier count holds is not summed again.
COUNT_EARLIER_DAYS = f"""
INSERT INTO reading_count (storage_unit_id, before, reading_count)
SELECT id, {_BEFORE}, coalesce(earlier.reading_count, 0) + coalesce(since.reading_count, 0)
FROM unnest(%s::int[]) AS unit (id)
LEFT JOIN reading_count AS earlier ON earlier.storage_unit_id = id
CROSS JOIN LATERAL (
    SELECT sum(reading_count) AS reading_count FROM daily_rollup
    WHERE storage_unit_id = id AND local_date >= coalesce(earlier.before, '-infinity') AND local_date < {_BEFORE}
) AS since
ON CONFLICT (storage_unit_id) DO UPDATE SET before = excluded.before, reading_count = excluded.reading_count
"""  # noqa: S608  constants only
