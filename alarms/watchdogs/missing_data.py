"""Alarms of units without recent data, and their inhibition by alarms of sources that are down.

A unit has no data once its newest reading is older than its staleness limit plus the usual time between deliveries: the
shortest interval of the sources that are polled for the unit, or the customer's where nothing is polled. Where the
customer pushes, pushes may be more frequent than polls, and the shorter of both counts. A unit with only retired
sensors has no alarm. Nor has one that only ever had old readings, as from an imported file: it was never monitored. Nor
has one of which no reading is left, because the import that stored them was undone.
Where a sensor's clock was measured, the unit is monitored. If its newest reading arrived late nevertheless, because the
clock is behind or after an outage, it has no data once nothing more has arrived for that time. The reading's time is
corrected by how far its sensor's clock is behind.
One cause, one alarm: while every source of a unit fails, its alarm waits until the sources count as down, and the alarm
of a source that is down inhibits those of its units, which send no notifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from alarms.lifecycle.transitions import end, inhibit, open_alarm, release
from alarms.models import Alarm
from alarms.thresholds import Severity
from core.db.savepoints import each_isolated
from readings.storage.time_weighting import STALENESS_LIMIT

_Parameters = dict[str, datetime | list[int]]

MAX_ALARMS_PER_RUN = 500
# PostgreSQL's least ignores nulls.
DELIVERY_SECONDS = """coalesce(
    least(polled.seconds, CASE customer.data_sharing_method WHEN 'push' THEN customer.data_frequency_seconds END),
    customer.data_frequency_seconds
)"""
OVERDUE_AFTER = f"({STALENESS_LIMIT} + make_interval(secs => {DELIVERY_SECONDS}))"
_FROM = """
FROM latest_reading AS latest
LEFT JOIN unnest(%(polled_units)s::int[], %(polled_seconds)s::int[]) AS polled (unit_id, seconds)
    ON polled.unit_id = latest.storage_unit_id
JOIN storage_unit ON storage_unit.id = latest.storage_unit_id
JOIN facility ON facility.id = storage_unit.facility_id
JOIN customer ON customer.id = facility.customer_id
"""
IS_IN_SERVICE = "EXISTS (SELECT FROM sensor WHERE sensor.storage_unit_id = storage_unit.id AND retired_at IS NULL)"
HAS_CLOCK = "EXISTS (SELECT FROM sensor_clock WHERE sensor_clock.storage_unit_id = storage_unit.id)"
# By how far the clock of the newest reading is behind. PostgreSQL's greatest ignores nulls, too.
BEHIND = """make_interval(secs => greatest(
    (SELECT -drift_seconds FROM sensor_clock WHERE sensor_clock.sensor_id = latest.sensor_id), 0
))"""
# Whether the unit's newest reading arrived in time, and when it was measured, by a clock that is right: before it
# arrived, even if the clock has been set since its drift was measured.
WAS_IN_TIME = f"latest.created_at - latest.recorded_at < {OVERDUE_AFTER}"
LAST_AT = f"""CASE
    WHEN {WAS_IN_TIME} THEN latest.recorded_at ELSE least(latest.recorded_at + {BEHIND}, latest.created_at)
END"""
OVERDUE = f"""
SELECT storage_unit.id, customer.id, {LAST_AT} AS last_at
{_FROM}
WHERE {LAST_AT} + {OVERDUE_AFTER} < %(now)s
    AND ({WAS_IN_TIME} OR latest.created_at + {OVERDUE_AFTER} < %(now)s AND {HAS_CLOCK})
    AND customer.is_active AND NOT storage_unit.is_synthetic AND {IS_IN_SERVICE}
    AND NOT EXISTS (
        SELECT FROM alarm WHERE storage_unit_id = storage_unit.id AND kind = 'no_data' AND state <> 'closed'
    )
ORDER BY last_at
"""  # noqa: S608  constants only
RECOVERED = f"""
SELECT alarm.id, {LAST_AT}
{_FROM}
JOIN alarm ON alarm.storage_unit_id = storage_unit.id AND kind = 'no_data' AND state <> 'closed'
WHERE {LAST_AT} + {OVERDUE_AFTER} >= %(now)s OR NOT customer.is_active OR NOT {IS_IN_SERVICE}
UNION ALL
SELECT alarm.id, %(now)s FROM alarm LEFT JOIN latest_reading AS latest USING (storage_unit_id)
WHERE kind = 'no_data' AND state <> 'closed' AND latest.storage_unit_id IS NULL
"""  # noqa: S608  constants only
# The source is back, and the unit has had enough time to deliver again.
NO_LONGER_INHIBITED = f"""
SELECT alarm.id
{_FROM}
JOIN alarm ON alarm.storage_unit_id = storage_unit.id AND alarm.kind = 'no_data' AND alarm.state <> 'closed'
JOIN alarm AS cause ON cause.id = alarm.suppressed_by_id
WHERE cause.ended_at + {OVERDUE_AFTER} < %(now)s
"""


def update_missing_data_alarms(
    failing_sources: Mapping[int, UUID], polled_seconds: Mapping[int, int], now: datetime
) -> None:
    """Open, inhibit, release and end the alarms of units without recent data.

    failing_sources: the units whose sources all fail, each with the public id of one of these sources.
    polled_seconds: the units whose readings are polled, each with the shortest interval of its sources.
    """
    parameters: _Parameters = {
        "now": now,
        "polled_units": list(polled_seconds),
        "polled_seconds": list(polled_seconds.values()),
    }
    _end_recovered(parameters, now)
    down = {
        alarm.source_key: alarm
        for alarm in Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN).exclude(state=Alarm.State.CLOSED)
    }
    _inhibit_open(failing_sources, down, now)
    overdue: list[tuple[int, int, datetime]] = _fetch(OVERDUE, parameters)
    due = [row for row in overdue if row[0] not in failing_sources or failing_sources[row[0]] in down]

    def open_one(row: tuple[int, int, datetime]) -> None:
        unit_id, customer_id, last_at = row
        _open(unit_id, customer_id, last_at, down.get(failing_sources.get(unit_id)), now)

    each_isolated(due[:MAX_ALARMS_PER_RUN], open_one, "opening an alarm for missing data")
    released: list[tuple[int]] = _fetch(NO_LONGER_INHIBITED, parameters)
    each_isolated(
        Alarm.objects.filter(pk__in=[alarm_id for (alarm_id,) in released]).order_by("pk"),
        lambda alarm: release(alarm, now, "The source is back, but the unit still has no data."),
        "releasing an alarm",
    )


def _open(unit_id: int, customer_id: int, last_at: datetime, cause: Alarm | None, now: datetime) -> None:
    alarm = Alarm(
        customer_id=customer_id,
        storage_unit_id=unit_id,
        kind=Alarm.Kind.NO_DATA,
        severity=Severity.WARNING,
        started_at=last_at,
    )
    if cause is not None:
        inhibit(alarm, cause, now)
    else:
        open_alarm(alarm, now, now)


def _inhibit_open(failing_sources: Mapping[int, UUID], down: Mapping[UUID | None, Alarm], now: datetime) -> None:
    """Inhibit the alarms that opened before their source was known to be down, and those of sources down again."""
    has_no_cause = Q(suppressed_by=None) | Q(suppressed_by__state=Alarm.State.CLOSED)
    active = Alarm.objects.filter(has_no_cause, kind=Alarm.Kind.NO_DATA, storage_unit__in=list(failing_sources))

    def inhibit_one(alarm: Alarm) -> None:
        cause = down.get(failing_sources[alarm.storage_unit_id or 0])
        if cause is not None:
            inhibit(alarm, cause, now)

    each_isolated(active.exclude(state=Alarm.State.CLOSED), inhibit_one, "inhibiting an alarm")


def _end_recovered(parameters: _Parameters, now: datetime) -> None:
    rows: list[tuple[int, datetime]] = _fetch(RECOVERED, parameters)
    last_at = dict(rows)
    each_isolated(
        Alarm.objects.filter(pk__in=last_at).select_for_update(no_key=True, of=("self",)),
        lambda alarm: end(alarm, max(last_at[alarm.pk], alarm.started_at), now),
        "ending an alarm",
    )


def _fetch(sql: str, parameters: _Parameters) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
