"""The watchdog: alarms that depend on time instead of new readings.

Alarms of excursions open in the transaction that stores the reading which completes their delay; these do not depend on
any new reading.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from alarms.lifecycle.transitions import close_cleared
from alarms.watchdogs.missing_data import update_missing_data_alarms
from alarms.watchdogs.sensor_faults import update_sensor_fault_alarms
from alarms.watchdogs.source_down import DownSource, update_source_down_alarms
from ingestion.models import Source
from ingestion.selectors import with_state

# Only one tick runs at a time; a concurrent one is not needed.
WATCH_LOCK = 7_302_015
# A unit is explained by its sources only if every one of them fails.
EXPLAINED = """
SELECT storage_unit_id, min(source.public_id::text)
FROM source_unit JOIN source ON source.id = source_unit.source_id
WHERE NOT source.is_paused AND storage_unit_id IN (
    SELECT storage_unit_id FROM source_unit WHERE source_id = ANY(%(failing)s)
)
GROUP BY storage_unit_id HAVING bool_and(source.id = ANY(%(failing)s))
"""


@transaction.atomic
def run_watchdogs(now: datetime | None = None) -> bool:
    """Open and close time-based alarms. Return False if another worker holds the lock."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCH_LOCK])
        if not cursor.fetchone()[0]:
            return False
    polled = with_state(Source.objects.filter(is_paused=False, customer__is_active=True).exclude(url=""), now)
    unwell = list(polled.exclude(failures_in_a_row=0, late_from__gte=now).select_related("customer"))
    update_source_down_alarms([_down(source) for source in unwell if source.late_from < now], now)
    update_missing_data_alarms(_explained([source.pk for source in unwell]), now)
    update_sensor_fault_alarms(now)
    close_cleared(now)
    return True


def note_units(source_id: int, unit_ids: Collection[int]) -> None:
    """Record that the source has delivered readings of these units. One query."""
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
