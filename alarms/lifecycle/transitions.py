"""What becomes of alarms when their cause begins, worsens, ends, returns, or turns out never to have been.

An alarm of an excursion is pending while its delay runs, opens with the reading that completes it, follows the
excursion, and closes itself when that is over and its clearing delay has passed. An excursion that returns within the
clearing delay reopens its alarm. Every function here works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from alarms.excursions.reconcile import Replaced
from alarms.lifecycle.events import record
from alarms.models import Alarm, AlarmEvent, Excursion
from alarms.thresholds import Severity

_KINDS = {
    Excursion.Kind.TEMPERATURE: Alarm.Kind.TEMPERATURE,
    Excursion.Kind.BUDGET: Alarm.Kind.BUDGET,
    Excursion.Kind.MKT: Alarm.Kind.MKT,
}


# What of an alarm follows its excursion; few of an excursion's readings change any of it.
_FOLLOWED = ("severity", "started_at", "ended_at", "temperature_c", "recorded_at")


def follow(replaced: Replaced, now: datetime) -> None:
    """Bring the alarms of what was replaced up to date. One query, and some for each alarm that changes."""
    for alarm in replaced.orphaned:
        withdraw(alarm, now, "Readings that came later show no excursion of its own here.")
    if not replaced.changed:
        return
    alarms = {alarm.excursion_id: alarm for alarm in _alarms_of([each for each, _, _ in replaced.changed])}
    for excursion, customer_id, is_live in replaced.changed:
        _follow_one(excursion, alarms.get(excursion.pk), customer_id, now, is_live=is_live)


def _follow_one(excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool) -> None:
    if excursion.alarm_at is None:
        _follow_short(excursion, alarm, customer_id, now, is_live=is_live)
    elif alarm is None and not is_live:
        _note_late(excursion, customer_id, now)
    elif alarm is None or alarm.state == Alarm.State.PENDING:
        _open_for(excursion, alarm or _new(excursion, customer_id), now)
    else:
        _follow_opened(excursion, alarm, now, is_live=is_live)


def _follow_short(excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool) -> None:
    """The excursion has not lasted for its delay: an alarm of it is pending while it may, and then never was."""
    is_running = excursion.ended_at is None
    if alarm is None:
        if is_running and is_live:
            _new(excursion, customer_id).save()
    elif alarm.state != Alarm.State.PENDING:
        withdraw(alarm, now, "Readings that came later show that the excursion was shorter than the delay.")
    elif is_running:
        before = _followed(alarm)
        _tell_worst(alarm, excursion)
        if _followed(alarm) != before:
            alarm.save(update_fields=_FOLLOWED)
    else:
        alarm.delete()


def _follow_opened(excursion: Excursion, alarm: Alarm, now: datetime, *, is_live: bool) -> None:
    before = _followed(alarm)
    _tell_worst(alarm, excursion)
    has_worsened = alarm.severity == Severity.WARNING and severity_of(excursion) is Severity.CRITICAL
    alarm.severity = severity_of(excursion)
    had_ended, alarm.ended_at = alarm.ended_at, excursion.ended_at
    lasts = alarm.ended_at is None
    if alarm.is_detected_late and is_live and lasts:
        # What was found late has been caught up with, and lasts: now it is news.
        alarm.is_detected_late, alarm.closed_at = False, None
        open_alarm(alarm, excursion.last_outside_at, now)
        return
    if had_ended is not None and lasts and is_live:
        reopen(alarm, excursion.last_outside_at)
    elif _followed(alarm) != before:
        alarm.save(update_fields=_FOLLOWED)
    if has_worsened and alarm.is_live:
        record(alarm, AlarmEvent.Kind.WORSENED, excursion.critical_alarm_at or now)
    if had_ended is None and alarm.ended_at is not None and alarm.is_live:
        record(alarm, AlarmEvent.Kind.ENDED, alarm.ended_at)


def reopen(alarm: Alarm, at: datetime) -> None:
    """The cause is back within its clearing delay: it is the same alarm, acknowledged if it was."""
    alarm.reopened_count += 1
    alarm.state = Alarm.State.OPEN if alarm.acknowledged_at is None else Alarm.State.ACKNOWLEDGED
    alarm.ended_at, alarm.closed_at, alarm.closed_by = None, None, ""
    alarm.save()
    record(alarm, AlarmEvent.Kind.REOPENED, at)


def open_alarm(alarm: Alarm, at: datetime, now: datetime) -> None:
    """Open a new or pending alarm: what completed its delay was at `at`."""
    alarm.state, alarm.opened_at = Alarm.State.OPEN, now
    alarm.save()
    record(alarm, AlarmEvent.Kind.OPENED, at)


def end(alarm: Alarm, ended_at: datetime, now: datetime) -> None:
    """The cause of a live alarm that has no clearing delay is over: it closes itself."""
    alarm.ended_at = ended_at
    alarm.save(update_fields=["ended_at"])
    record(alarm, AlarmEvent.Kind.ENDED, ended_at)
    close_itself(alarm, now)


def close_itself(alarm: Alarm, now: datetime) -> None:
    """Close a live alarm whose cause is over for good."""
    alarm.state, alarm.closed_at = Alarm.State.CLOSED, now
    alarm.save(update_fields=["state", "closed_at"])
    record(alarm, AlarmEvent.Kind.CLOSED, now)


def withdraw(alarm: Alarm, now: datetime, why: str) -> None:
    """There was no such cause. One that never opened goes; of another everything that was said to it stays."""
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
    """Close the live alarms whose excursion is over for its clearing delay; return how many."""
    now = now or timezone.now()
    over = Alarm.objects.filter(
        state__in=[Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED], excursion__clears_at__lte=now
    ).select_for_update(of=("self",), no_key=True, skip_locked=True)
    closed = list(over)
    for alarm in closed:
        close_itself(alarm, now)
    return len(closed)


def severity_of(excursion: Excursion) -> Severity:
    """How bad the alarm of an excursion is: critical once a reading beyond a critical limit completed the delay."""
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
    _tell_worst(alarm, excursion)
    return alarm


def _followed(alarm: Alarm) -> tuple[Any, ...]:
    return tuple(getattr(alarm, name) for name in _FOLLOWED)


def _tell_worst(alarm: Alarm, excursion: Excursion) -> None:
    alarm.started_at = excursion.started_at
    alarm.temperature_c, alarm.recorded_at = excursion.peak_c, excursion.peak_at


def _open_for(excursion: Excursion, alarm: Alarm, now: datetime) -> None:
    alarm.severity = severity_of(excursion)
    _tell_worst(alarm, excursion)
    open_alarm(alarm, excursion.alarm_at or now, now)
    if excursion.ended_at is not None:
        alarm.ended_at = excursion.ended_at
        alarm.save(update_fields=["ended_at"])
        record(alarm, AlarmEvent.Kind.ENDED, excursion.ended_at)


def _note_late(excursion: Excursion, customer_id: int, now: datetime) -> None:
    """It is no news: it goes on record as it is, closed unless it lasts, and nobody is told."""
    alarm = _new(excursion, customer_id)
    alarm.state, alarm.is_detected_late = Alarm.State.CLOSED, True
    alarm.opened_at = alarm.closed_at = now
    alarm.ended_at = excursion.ended_at
    alarm.save()
    record(alarm, AlarmEvent.Kind.CLOSED, now, text="Detected late: its readings arrived when it was no news any more.")
