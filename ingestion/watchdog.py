"""The periodic watchdog: sources that are down, units without data, faulty sensors, and alarms that have cleared.

Alarms of excursions need no watchdog to open: they open in the transaction that stores the reading which completes
their delay. The watchdogs detect what no reading reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from alarms.lifecycle.transitions import close_cleared, close_of_inactive_customers
from alarms.models import Alarm
from alarms.watchdogs.missing_data import update_missing_data_alarms
from alarms.watchdogs.sensor_faults import update_sensor_fault_alarms
from alarms.watchdogs.source_down import DownSource, update_source_down_alarms
from core.db.savepoints import isolated
from ingestion.models import LATE_GRACE, Source
from ingestion.selectors import with_state

# Only one run at a time; another one would be redundant.
WATCHDOG_LOCK = 7_302_015
# When a run was last made, and when the first one after a pause was. Runs are made every 10 seconds.
RUNS_KEY = "watchdog_runs"
# Units whose sources all fail. A source that succeeds, or that receives pushes, keeps its units off this list.
UNITS_OF_FAILING_SOURCES = """
SELECT storage_unit_id, min(source.public_id::text)
FROM source_unit JOIN source ON source.id = source_unit.source_id
WHERE NOT source.is_paused AND storage_unit_id IN (
    SELECT storage_unit_id FROM source_unit WHERE source_id = ANY(%(failing)s)
)
GROUP BY storage_unit_id HAVING bool_and(source.id = ANY(%(failing)s))
"""
# What a source delivered once it is expected to deliver again, as often as it is polled.
POLLED_UNITS = """
SELECT storage_unit_id, min(interval_seconds)
FROM source_unit JOIN source ON source.id = source_unit.source_id
WHERE NOT source.is_paused AND source.url <> ''
GROUP BY storage_unit_id
"""


@transaction.atomic
def run_watchdogs(now: datetime | None = None) -> bool:
    """Open and close time-based alarms. Return False if another worker holds the lock.

    What fails for one alarm, or as a whole for one kind, is logged and tried again by the next run.
    """
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCHDOG_LOCK])
        if not cursor.fetchone()[0]:
            return False
    failing: list[Source] = []
    unpolled: list[Source] = []
    if _has_just_resumed(now):
        isolated(lambda: unpolled.extend(_unpolled_sources(now)), "finding sources that were not polled")
    if isolated(lambda: failing.extend(_failing_sources(now, unpolled)), "finding failing sources"):
        # The alarms of all other sources end, which is only right if it is known which ones fail.
        isolated(lambda: _update_source_down_alarms(failing, now), "updating alarms of sources")
    # The units of sources that were not polled have no alarm either, until it is known whether these are down.
    isolated(lambda: _update_missing_data_alarms([*failing, *unpolled], now), "updating alarms for missing data")
    isolated(lambda: update_sensor_fault_alarms(now), "updating alarms of sensor faults")
    isolated(lambda: close_cleared(now), "closing cleared alarms")
    isolated(lambda: close_of_inactive_customers(now), "closing alarms of inactive customers")
    return True


def _has_just_resumed(now: datetime) -> bool:
    """Record this run; return whether runs have begun again within LATE_GRACE after a pause as long as that.

    The whole system was off then, or its database: its sources are late without having failed.
    """
    ran_at, resumed_at = cache.get(RUNS_KEY) or (now, None)
    if now - ran_at > LATE_GRACE:
        resumed_at = now
    cache.set(RUNS_KEY, (now, resumed_at), timeout=None)
    return resumed_at is not None and resumed_at <= now <= resumed_at + LATE_GRACE


def _polled_sources() -> QuerySet[Source]:
    return Source.objects.filter(is_paused=False, customer__is_active=True).exclude(url="")


def _is_down() -> Exists:
    down = Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN, source_key=OuterRef("public_id"))
    return Exists(down.exclude(state=Alarm.State.CLOSED))


def _unpolled_sources(now: datetime) -> QuerySet[Source]:
    """Return the sources that were due before the system resumed. One that is down remains so."""
    return _polled_sources().filter(~_is_down(), failures_in_a_row=0, next_due_at__lt=now - LATE_GRACE)


def _failing_sources(now: datetime, unpolled: Sequence[Source]) -> QuerySet[Source]:
    polled = with_state(_polled_sources().exclude(pk__in=[source.pk for source in unpolled]), now)
    # A source that was resumed or changed is due at once, and late by its last success until it has been polled.
    # One that is down remains so.
    is_waiting = Q(next_due_at__range=(now - LATE_GRACE, now + LATE_GRACE)) & ~_is_down()
    return polled.exclude(Q(failures_in_a_row=0) & (Q(late_from__gte=now) | is_waiting)).select_related("customer")


def _update_source_down_alarms(failing: Sequence[Source], now: datetime) -> None:
    update_source_down_alarms([_down_source(source) for source in failing if source.late_from < now], now)  # type: ignore[attr-defined]  # annotated by with_state


def _update_missing_data_alarms(failing: Sequence[Source], now: datetime) -> None:
    update_missing_data_alarms(_units_of([source.pk for source in failing]), _polled_seconds(), now)


def _down_source(source: Source) -> DownSource:
    return DownSource(source.public_id, str(source), source.customer_id, source.last_success_at or source.created_at)


def _units_of(failing: list[int]) -> dict[int, UUID]:
    """Return the units whose sources all fail, each with the public id of one of these sources."""
    if not failing:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(UNITS_OF_FAILING_SOURCES, {"failing": failing})
        return {unit_id: UUID(source_key) for unit_id, source_key in cursor.fetchall()}


def _polled_seconds() -> dict[int, int]:
    """Return the units that are polled, each with the shortest interval of its sources."""
    with connection.cursor() as cursor:
        cursor.execute(POLLED_UNITS)
        return dict(cursor.fetchall())
