"""State transitions of alarms, and the events that record them.

Every function here works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.utils import timezone

from alarms.models import Alarm, AlarmEvent
from alarms.notifications.dispatch import dispatch
from core.db.savepoints import each_isolated

logger = structlog.get_logger(__name__)


def record_event(alarm: Alarm, kind: AlarmEvent.Kind, at: datetime, *, by: str = "", text: str = "") -> AlarmEvent:
    """Add an event to the timeline of `alarm`, which must be saved, and dispatch its notifications.

    `by` is empty if the system acts.
    """
    event = AlarmEvent.objects.create(alarm=alarm, kind=kind, happened_at=at, by=by, text=text)
    _log(event)
    dispatch(event)
    return event


def record_late(alarms: Sequence[Alarm], now: datetime) -> None:
    """Record closed alarms of excursions that were detected late, which notify nobody. Two queries if there are any."""
    for alarm in alarms:
        alarm.state, alarm.is_detected_late = Alarm.State.CLOSED, True
        alarm.opened_at = alarm.closed_at = now
        alarm.ended_at = None if alarm.excursion is None else alarm.excursion.ended_at
    text = "Detected late: the readings arrived after the fact."
    created = Alarm.objects.bulk_create(alarms)
    events = [AlarmEvent(alarm=each, kind=AlarmEvent.Kind.CLOSED, happened_at=now, text=text) for each in created]
    for event in AlarmEvent.objects.bulk_create(events):
        _log(event)


def _log(event: AlarmEvent) -> None:
    alarm = event.alarm
    logger.info(
        "alarm event",
        event_kind=event.kind,
        alarm=str(alarm.public_id),
        alarm_kind=alarm.kind,
        severity=alarm.severity,
        customer_id=alarm.customer_id,
        storage_unit_id=alarm.storage_unit_id,
    )


def open_alarm(alarm: Alarm, at: datetime, now: datetime, *, text: str = "") -> None:
    """Open a new or pending alarm whose delay was completed at `at`; `text` says more in its timeline."""
    alarm.state, alarm.opened_at = Alarm.State.OPEN, now
    alarm.save()
    record_event(alarm, AlarmEvent.Kind.OPENED, at, text=text)


def reopen(alarm: Alarm, at: datetime) -> None:
    """Reopen an alarm whose condition returned within the clearing delay; it stays acknowledged if it was."""
    alarm.reopened_count += 1
    alarm.state = Alarm.State.OPEN if alarm.acknowledged_at is None else Alarm.State.ACKNOWLEDGED
    alarm.ended_at, alarm.closed_at, alarm.closed_by = None, None, ""
    alarm.save()
    record_event(alarm, AlarmEvent.Kind.REOPENED, at)


def end(alarm: Alarm, ended_at: datetime, now: datetime) -> None:
    """End and close a live alarm whose condition has no clearing delay."""
    alarm.ended_at = ended_at
    alarm.save(update_fields=["ended_at"])
    record_event(alarm, AlarmEvent.Kind.ENDED, ended_at)
    close_automatically(alarm, now)


def close_automatically(alarm: Alarm, now: datetime) -> None:
    """Close a live alarm whose condition has cleared."""
    alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.save(update_fields=["state", "closed_at"])
    record_event(alarm, AlarmEvent.Kind.CLOSED, now)


def withdraw(alarm: Alarm, now: datetime, reason: str) -> None:
    """Withdraw an alarm whose condition did not exist; delete it if it never opened."""
    if alarm.state == Alarm.State.PENDING:
        alarm.delete()
        return
    if alarm.is_withdrawn:
        return
    alarm.is_withdrawn = True
    alarm.excursion = None
    if alarm.is_live:
        alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.ended_at = alarm.ended_at or now
    alarm.save()
    record_event(alarm, AlarmEvent.Kind.WITHDRAWN, now, text=reason)


def close_for_other_limits(alarm: Alarm, now: datetime) -> None:
    """Close an alarm whose condition does not exist by the limits that apply to its time now; delete a pending one."""
    if alarm.state == Alarm.State.PENDING:
        alarm.delete()
        return
    alarm.excursion = None
    alarm.ended_at = alarm.ended_at or now
    alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.save()
    record_event(alarm, AlarmEvent.Kind.CLOSED, now, text="By the limits that now apply to this time it is no alarm.")


def inhibit(alarm: Alarm, cause: Alarm, now: datetime) -> None:
    """Make `cause` inhibit an open or new alarm, which then sends no notifications of its own."""
    alarm.suppressed_by = cause
    if alarm.pk is None:
        alarm.state, alarm.opened_at = Alarm.State.OPEN, now
        alarm.save()
    else:
        alarm.save(update_fields=["suppressed_by"])
    record_event(alarm, AlarmEvent.Kind.SUPPRESSED, now, text=f"Inhibited by {cause}.")


def release(alarm: Alarm, now: datetime, reason: str) -> None:
    """Stop inhibiting an alarm."""
    alarm.suppressed_by = None
    alarm.save(update_fields=["suppressed_by"])
    record_event(alarm, AlarmEvent.Kind.RELEASED, now, text=reason)


def close_cleared(now: datetime | None = None) -> int:
    """Close the live alarms whose excursion has been over for its clearing delay; return their number."""
    now = now or timezone.now()
    cleared = Alarm.objects.filter(
        state__in=[Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED], excursion__clears_at__lte=now
    ).select_for_update(of=("self",), no_key=True, skip_locked=True)
    return each_isolated(cleared, lambda alarm: close_automatically(alarm, now), "closing an alarm")


def close_of_inactive_customers(now: datetime) -> int:
    """Close the alarms of excursions that nothing would end, as no readings arrive; return their number.

    Their ends remain unknown. If the customer becomes active and an excursion goes on, its alarm is reopened.
    """
    unended = (
        Alarm.objects.filter(customer__is_active=False, excursion__ended_at=None)
        .exclude(excursion=None)
        .exclude(state=Alarm.State.CLOSED)
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
    )
    return each_isolated(unended, lambda alarm: _close_unended(alarm, now), "closing an alarm of an inactive customer")


def _close_unended(alarm: Alarm, now: datetime) -> None:
    if alarm.state == Alarm.State.PENDING:
        alarm.delete()
        return
    alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.save(update_fields=["state", "closed_at"])
    text = "The customer is inactive. When the excursion ended is not known."
    record_event(alarm, AlarmEvent.Kind.CLOSED, now, text=text)
