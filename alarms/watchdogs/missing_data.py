"""The watchdog for missing data: alarms of units that no longer send readings, and their inhibition.

A unit is missing data once its newest reading is older than its staleness limit and the customer's delivery interval
together. A unit that only ever had old readings, as from an imported file, is not. One cause, one alarm: while every
source of a unit fails, its alarm waits for that of the sources, and the alarm of a source that is down inhibits those
of its units, which notify nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from alarms.lifecycle.events import record
from alarms.lifecycle.transitions import end, open_alarm
from alarms.models import Alarm, AlarmEvent
from alarms.thresholds import Severity
from readings.storage.time_weighting import STALENESS_LIMIT

ALARMS_A_RUN = 500
SILENT_AFTER = f"({STALENESS_LIMIT} + make_interval(secs => customer.data_frequency_seconds))"
_FROM = """
FROM latest_reading AS latest
JOIN storage_unit ON storage_unit.id = latest.storage_unit_id
JOIN facility ON facility.id = storage_unit.facility_id
JOIN customer ON customer.id = facility.customer_id
"""
SILENT = f"""
SELECT storage_unit.id, customer.id, latest.recorded_at
{_FROM}
WHERE latest.recorded_at + {SILENT_AFTER} < %(now)s AND latest.created_at - latest.recorded_at < {SILENT_AFTER}
    AND customer.is_active AND NOT storage_unit.is_synthetic
    AND NOT EXISTS (
        SELECT FROM alarm WHERE storage_unit_id = storage_unit.id AND kind = 'no_data' AND state <> 'closed'
    )
ORDER BY latest.recorded_at
"""  # noqa: S608  names of ours, no input
HEARD_AGAIN = f"""
SELECT alarm.id, latest.recorded_at
{_FROM}
JOIN alarm ON alarm.storage_unit_id = storage_unit.id AND kind = 'no_data' AND state <> 'closed'
WHERE latest.recorded_at + {SILENT_AFTER} >= %(now)s OR NOT customer.is_active
"""
# The inhibiting alarm is over, and the unit has had time to send new readings.
UNEXPLAINED = f"""
SELECT alarm.id
{_FROM}
JOIN alarm ON alarm.storage_unit_id = storage_unit.id AND alarm.kind = 'no_data' AND alarm.state <> 'closed'
JOIN alarm AS explanation ON explanation.id = alarm.suppressed_by_id
WHERE explanation.ended_at + {SILENT_AFTER} < %(now)s
"""


def update_missing_data_alarms(explained: Mapping[int, UUID], now: datetime) -> None:
    """Open, inhibit, release and end the alarms of units without new readings.

    explained: the units whose sources all fail, each with the public id of one of those.
    """
    _end_heard_again(now)
    down = {
        alarm.source_key: alarm
        for alarm in Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN).exclude(state=Alarm.State.CLOSED)
    }
    _inhibit(explained, down, now)
    silent = [row for row in _rows(SILENT, now) if row[0] not in explained or explained[row[0]] in down]
    for unit_id, customer_id, heard_at in silent[:ALARMS_A_RUN]:
        _open(unit_id, customer_id, heard_at, down.get(explained.get(unit_id)), now)
    for (alarm_id,) in _rows(UNEXPLAINED, now):
        alarm = Alarm.objects.get(pk=alarm_id)
        alarm.suppressed_by = None
        alarm.save(update_fields=["suppressed_by"])
        record(alarm, AlarmEvent.Kind.RELEASED, now, text="Its source has recovered, but the unit still sends no data.")


def _open(unit_id: int, customer_id: int, heard_at: datetime, explanation: Alarm | None, now: datetime) -> None:
    alarm = Alarm(
        customer_id=customer_id,
        storage_unit_id=unit_id,
        kind=Alarm.Kind.NO_DATA,
        severity=Severity.WARNING,
        started_at=heard_at,
        suppressed_by=explanation,
    )
    if explanation is not None:
        alarm.state, alarm.opened_at = Alarm.State.OPEN, now
        alarm.save()
        record(alarm, AlarmEvent.Kind.SUPPRESSED, now, text=f"Explained by {explanation}.")
    else:
        open_alarm(alarm, now, now)


def _inhibit(explained: Mapping[int, UUID], down: Mapping[UUID | None, Alarm], now: datetime) -> None:
    """Inhibit the alarms that opened before their source was known to be down."""
    unexplained = Alarm.objects.filter(kind=Alarm.Kind.NO_DATA, suppressed_by=None, storage_unit__in=list(explained))
    for alarm in unexplained.exclude(state=Alarm.State.CLOSED):
        explanation = down.get(explained[alarm.storage_unit_id or 0])
        if explanation is not None:
            alarm.suppressed_by = explanation
            alarm.save(update_fields=["suppressed_by"])
            record(alarm, AlarmEvent.Kind.SUPPRESSED, now, text=f"Explained by {explanation}.")


def _end_heard_again(now: datetime) -> None:
    heard = dict(_rows(HEARD_AGAIN, now))
    for alarm in Alarm.objects.filter(pk__in=heard).select_for_update(no_key=True, of=("self",)):
        end(alarm, max(heard[alarm.pk], alarm.started_at), now)


def _rows(sql: str, now: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"now": now})
        return list(cursor.fetchall())
