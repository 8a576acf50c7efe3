"""The transitions of alarms as their cause begins, worsens, ends, returns, or turns out not to have existed.

An alarm of an excursion is pending while its delay runs, opens with the reading that completes it, follows the
excursion, and closes itself when that is over and its clearing delay has passed. An excursion that returns within the
clearing delay reopens its alarm. Every function here works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from alarms.excursions.reconcile import Reconciled
from alarms.lifecycle.events import record
from alarms.models import Alarm, AlarmEvent, Excursion
from alarms.thresholds import Severity

_KINDS = {
    Excursion.Kind.TEMPERATURE: Alarm.Kind.TEMPERATURE,
    Excursion.Kind.BUDGET: Alarm.Kind.BUDGET,
    Excursion.Kind.MKT: Alarm.Kind.MKT,
}


# The fields of an alarm copied from its excursion; few readings change any of them.
_COPIED_FIELDS = ("severity", "started_at", "ended_at", "temperature_c", "recorded_at")


def update_alarms(reconciled: Reconciled, now: datetime) -> None:
    """Update the alarms of reconciled excursions. One query, and some for each alarm that changes."""
    for alarm in reconciled.orphaned:
        withdraw(alarm, now, "Later readings show no separate excursion here.")
    if not reconciled.changed:
        return
    alarms = {alarm.excursion_id: alarm for alarm in _alarms_of([each for each, _, _ in reconciled.changed])}
    for excursion, customer_id, is_live in reconciled.changed:
        _update_alarm(excursion, alarms.get(excursion.pk), customer_id, now, is_live=is_live)


def _update_alarm(excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool) -> None:
    if excursion.alarm_at is None:
        _update_pending(excursion, alarm, customer_id, now, is_live=is_live)
    elif alarm is None and not is_live:
        _record_late(excursion, customer_id, now)
    elif alarm is None or alarm.state == Alarm.State.PENDING:
        _open_for(excursion, alarm or _new(excursion, customer_id), now)
    else:
        _update_opened(excursion, alarm, now, is_live=is_live)


def _update_pending(
    excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool
) -> None:
    """Update the alarm of an excursion shorter than its delay: pending while ongoing, else removed."""
    is_running = excursion.ended_at is None
    if alarm is None:
        if is_running and is_live:
            _new(excursion, customer_id).save()
    elif alarm.state != Alarm.State.PENDING:
        withdraw(alarm, now, "Later readings show that the excursion was shorter than the delay.")
    elif is_running:
        before = _copied_values(alarm)
        _copy_peak(alarm, excursion)
        if _copied_values(alarm) != before:
            alarm.save(update_fields=_COPIED_FIELDS)
    else:
        alarm.delete()


def _update_opened(excursion: Excursion, alarm: Alarm, now: datetime, *, is_live: bool) -> None:
    before = _copied_values(alarm)
    _copy_peak(alarm, excursion)
    has_worsened = alarm.severity == Severity.WARNING and severity_of(excursion) is Severity.CRITICAL
    alarm.severity = severity_of(excursion)
    had_ended, alarm.ended_at = alarm.ended_at, excursion.ended_at
    is_ongoing = alarm.ended_at is None
    if alarm.is_detected_late and is_live and is_ongoing:
        # The data has caught up with a late-detected excursion that is still ongoing: now it notifies.
        alarm.is_detected_late, alarm.closed_at = False, None
        open_alarm(alarm, excursion.last_outside_at, now)
        return
    if had_ended is not None and is_ongoing and is_live:
        reopen(alarm, excursion.last_outside_at)
    elif _copied_values(alarm) != before:
        alarm.save(update_fields=_COPIED_FIELDS)
    if has_worsened and alarm.is_live:
        record(alarm, AlarmEvent.Kind.WORSENED, excursion.critical_alarm_at or now)
    if had_ended is None and alarm.ended_at is not None and alarm.is_live:
        record(alarm, AlarmEvent.Kind.ENDED, alarm.ended_at)


def reopen(alarm: Alarm, at: datetime) -> None:
    """Reopen an alarm whose cause returned within its clearing delay; it stays acknowledged if it was."""
    alarm.reopened_count += 1
    alarm.state = Alarm.State.OPEN if alarm.acknowledged_at is None else Alarm.State.ACKNOWLEDGED
    alarm.ended_at, alarm.closed_at, alarm.closed_by = None, None, ""
    alarm.save()
    record(alarm, AlarmEvent.Kind.REOPENED, at)


def open_alarm(alarm: Alarm, at: datetime, now: datetime) -> None:
    """Open a new or pending alarm whose delay was completed at `at`."""
    alarm.state, alarm.opened_at = Alarm.State.OPEN, now
    alarm.save()
    record(alarm, AlarmEvent.Kind.OPENED, at)


def end(alarm: Alarm, ended_at: datetime, now: datetime) -> None:
    """End a live alarm without clearing delay: its cause is over, so it closes."""
    alarm.ended_at = ended_at
    alarm.save(update_fields=["ended_at"])
    record(alarm, AlarmEvent.Kind.ENDED, ended_at)
    auto_close(alarm, now)


def auto_close(alarm: Alarm, now: datetime) -> None:
    """Close a live alarm whose cause is over for good."""
    alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.save(update_fields=["state", "closed_at"])
    record(alarm, AlarmEvent.Kind.CLOSED, now)


def withdraw(alarm: Alarm, now: datetime, why: str) -> None:
    """Withdraw an alarm whose cause did not exist. A pending one is deleted; another keeps its history."""
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
    record(alarm, AlarmEvent.Kind.WITHDRAWN, now, text=why)


def close_cleared(now: datetime | None = None) -> int:
    """Close the live alarms whose clearing delay is over; return how many."""
    now = now or timezone.now()
    over = Alarm.objects.filter(
        state__in=[Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED], excursion__clears_at__lte=now
    ).select_for_update(of=("self",), no_key=True, skip_locked=True)
    closed = list(over)
    for alarm in closed:
        auto_close(alarm, now)
    return len(closed)


def severity_of(excursion: Excursion) -> Severity:
    """Return the severity of an excursion's alarm: critical once a critical reading completed the delay."""
    return Severity.WARNING if excursion.critical_alarm_at is None else Severity.CRITICAL


def _alarms_of(excursions: Iterable[Excursion]) -> Any:
    live = Alarm.objects.filter(excursion__in=list(excursions), is_withdrawn=False)
    return live.order_by("pk").select_for_update(no_key=True, of=("self",))


def _new(excursion: Excursion, customer_id: int) -> Alarm:
    alarm = Alarm(
        customer_id=customer_id,
        storage_unit_id=excursion.storage_unit_id,
        kind=_KINDS[Excursion.Kind(excursion.kind)],
        state=Alarm.State.PENDING,
        severity=severity_of(excursion),
        excursion=excursion,
    )
    _copy_peak(alarm, excursion)
    return alarm


def _copied_values(alarm: Alarm) -> tuple[Any, ...]:
    return tuple(getattr(alarm, name) for name in _COPIED_FIELDS)


def _copy_peak(alarm: Alarm, excursion: Excursion) -> None:
    alarm.started_at = excursion.started_at
    alarm.temperature_c, alarm.recorded_at = excursion.peak_c, excursion.peak_at


def _open_for(excursion: Excursion, alarm: Alarm, now: datetime) -> None:
    alarm.severity = severity_of(excursion)
    _copy_peak(alarm, excursion)
    open_alarm(alarm, excursion.alarm_at or now, now)
    if excursion.ended_at is not None:
        alarm.ended_at = excursion.ended_at
        alarm.save(update_fields=["ended_at"])
        record(alarm, AlarmEvent.Kind.ENDED, excursion.ended_at)


def _record_late(excursion: Excursion, customer_id: int, now: datetime) -> None:
    """Record a late-detected excursion without notifying; close it unless it is ongoing."""
    alarm = _new(excursion, customer_id)
    alarm.state, alarm.is_detected_late = Alarm.State.CLOSED, True
    alarm.opened_at = alarm.closed_at = now
    alarm.ended_at = excursion.ended_at
    alarm.save()
    record(alarm, AlarmEvent.Kind.CLOSED, now, text="Detected late: its readings arrived after it was over.")
