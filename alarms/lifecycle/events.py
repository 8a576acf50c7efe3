"""The events of an alarm: what happened, when, and by whom. Append-only."""

from __future__ import annotations

from datetime import datetime

import structlog

from alarms.models import Alarm, AlarmEvent
from alarms.notifications.dispatch import dispatch

logger = structlog.get_logger(__name__)


def record(alarm: Alarm, kind: AlarmEvent.Kind, at: datetime, *, by: str = "", text: str = "") -> AlarmEvent:
    """Record an event of a saved alarm and dispatch its notifications, in the caller's transaction.

    `by` "" is the system.
    """
    event = AlarmEvent.objects.create(alarm=alarm, kind=kind, happened_at=at, by=by, text=text)
    logger.info(
        "alarm event",
        event_kind=kind.value,
        alarm=str(alarm.public_id),
        alarm_kind=alarm.kind,
        severity=alarm.severity,
        customer_id=alarm.customer_id,
        storage_unit_id=alarm.storage_unit_id,
    )
    dispatch(event)
    return event
