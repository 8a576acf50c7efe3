"""Alarms of sensors that have sent no measurement for longer than their unit's staleness limit."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import Q

from alarms.lifecycle.transitions import end, open_alarm
from alarms.models import Alarm
from alarms.thresholds import Severity
from core.db.savepoints import each_isolated
from readings.storage.time_weighting import STALENESS_LIMIT

MAX_ALARMS_PER_RUN = 500
# A fault with old readings opens no alarm: the unit has no data, or its readings arrived late.
FAULTY = f"""
SELECT fault.storage_unit_id, facility.customer_id, fault.sensor_id, fault.since
FROM sensor_fault AS fault
JOIN sensor ON sensor.id = fault.sensor_id AND sensor.retired_at IS NULL
JOIN storage_unit ON storage_unit.id = fault.storage_unit_id
JOIN facility ON facility.id = storage_unit.facility_id
JOIN customer ON customer.id = facility.customer_id
WHERE fault.last_at - fault.since >= {STALENESS_LIMIT} AND customer.is_active
    AND fault.last_at + greatest({STALENESS_LIMIT}, interval '1 hour') >= %(now)s
    AND NOT EXISTS (
        SELECT FROM alarm WHERE storage_unit_id = fault.storage_unit_id AND sensor_id = fault.sensor_id
            AND kind = 'sensor_fault' AND state <> 'closed'
    )
ORDER BY fault.since LIMIT %(limit)s
"""  # noqa: S608  constants only


def update_sensor_fault_alarms(now: datetime) -> None:
    """Open the alarms of persistent faults; end those of sensors that measure again, or do not count any more."""
    with connection.cursor() as cursor:
        cursor.execute(FAULTY, {"now": now, "limit": MAX_ALARMS_PER_RUN})
        faulty = cursor.fetchall()
    each_isolated(faulty, lambda row: _open(row, now), "opening an alarm of a sensor fault")
    live = Alarm.objects.filter(kind=Alarm.Kind.SENSOR_FAULT).exclude(state=Alarm.State.CLOSED)
    does_not_count = Q(sensor__retired_at__isnull=False) | Q(customer__is_active=False)
    recovered = live.filter(Q(sensor__fault=None) | does_not_count).select_for_update(no_key=True, of=("self",))
    each_isolated(recovered, lambda alarm: end(alarm, now, now), "ending an alarm")


def _open(row: tuple[int, int, int, datetime], now: datetime) -> None:
    unit_id, customer_id, sensor_id, since = row
    alarm = Alarm(
        customer_id=customer_id,
        storage_unit_id=unit_id,
        sensor_id=sensor_id,
        kind=Alarm.Kind.SENSOR_FAULT,
        severity=Severity.WARNING,
        started_at=since,
    )
    open_alarm(alarm, now, now)
