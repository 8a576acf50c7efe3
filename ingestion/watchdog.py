"""The tick: which sources are down, which units are silent, which sensors are faulty, and what has cleared.

Alarms of excursions need no tick to open: they open in the transaction that stores the reading which completes their
delay. What is told here is what no reading tells.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from alarms.lifecycle.transitions import close_cleared
from alarms.watchdogs import missing_data, sensor_faults, source_down
from alarms.watchdogs.source_down import DownSource
from ingestion.models import Source
from ingestion.selectors import with_state

# Only one tick works at a time; another one is not needed then.
WATCH_LOCK = 7_302_015
# A unit is explained by its sources only if none of them does well, or waits for pushes.
EXPLAINED = """
SELECT storage_unit_id, min(source.public_id::text)
FROM source_unit JOIN source ON source.id = source_unit.source_id
WHERE NOT source.is_paused AND storage_unit_id IN (
    SELECT storage_unit_id FROM source_unit WHERE source_id = ANY(%(failing)s)
)
GROUP BY storage_unit_id HAVING bool_and(source.id = ANY(%(failing)s))
"""


@transaction.atomic
def watch(now: datetime | None = None) -> bool:
    """Bring the alarms that hang on time in line with it; return False where another process is at it."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCH_LOCK])
        if not cursor.fetchone()[0]:
            return False
    polled = with_state(Source.objects.filter(is_paused=False, customer__is_active=True).exclude(url=""), now)
    unwell = list(polled.exclude(failures_in_a_row=0, late_from__gte=now).select_related("customer"))
    source_down.report([_down(source) for source in unwell if source.late_from < now], now)
    missing_data.watch(_explained([source.pk for source in unwell]), now)
    sensor_faults.watch(now)
    close_cleared(now)
    return True


def note_units(source_id: int, unit_ids: Collection[int]) -> None:
    """Remember that the source has brought readings of these units. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_unit (source_id, storage_unit_id) SELECT %s, unnest(%s::int[]) ON CONFLICT DO NOTHING",
            [source_id, sorted(unit_ids)],
        )


def _down(source: Source) -> DownSource:
    return DownSource(source.public_id, str(source), source.customer_id, source.last_success_at or source.created_at)


def _explained(failing: list[int]) -> dict[int, UUID]:
    if not failing:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(EXPLAINED, {"failing": failing})
        return {unit_id: UUID(source_key) for unit_id, source_key in cursor.fetchall()}
