"""Keep the alarms of excursions in line with them.

An alarm is pending while its delay runs, opens with the reading that completes the delay, follows its excursion, and
closes automatically once the excursion has been over for its clearing delay. An excursion that returns within the
clearing delay reopens its alarm. Every function here works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from alarms.excursions.reconcile import Reconciled
from alarms.lifecycle.transitions import close_for_other_limits, open_alarm, record_event, record_late, reopen, withdraw
from alarms.models import Alarm, AlarmEvent, Excursion
from alarms.thresholds import Severity

STAYS_CRITICAL = (
    "By the readings and limits as they are now, the critical delay was not completed. The alarm stays critical."
)
# The alarm's fields that mirror its excursion. Most readings of an excursion change none of them.
_MIRRORED = ("severity", "started_at", "ended_at", "temperature_c", "recorded_at")


def update_alarms(reconciled: Reconciled, now: datetime) -> None:
    """Bring the alarms of reconciled excursions up to date.

    One query, two for all that were detected late, plus a few per other alarm that changes.
    """
    for alarm in reconciled.orphaned:
        withdraw(alarm, now, "Later readings show no separate excursion here.")
    if not reconciled.changed:
        return
    alarms = {alarm.excursion_id: alarm for alarm in _lock_alarms_of([each for each, _, _ in reconciled.changed])}
    late: list[Alarm] = []
    for excursion, customer_id, is_live in reconciled.changed:
        known = alarms.get(excursion.pk)
        if known is None and not is_live:
            if excursion.alarm_at is not None:
                late.append(_new_alarm(excursion, customer_id))
        else:
            _update_alarm(excursion, known, customer_id, now, is_live=is_live)
    record_late(late, now)


def update_active_alarms(reconciled: Reconciled, now: datetime) -> None:
    """Bring the alarms of what is active now in line with excursions found by other limits than before.

    Closed alarms stay as they were, and an excursion that is over gets none. An active alarm without an excursion by
    the limits that apply now is closed.
    """
    for orphan in reconciled.orphaned:
        if orphan.state != Alarm.State.CLOSED:
            close_for_other_limits(orphan, now)
    alarms = {alarm.excursion_id: alarm for alarm in _lock_alarms_of([each for each, _, _ in reconciled.changed])}
    for excursion, customer_id, is_live in reconciled.changed:
        alarm = alarms.get(excursion.pk)
        if alarm is not None and alarm.is_live and excursion.alarm_at is None:
            close_for_other_limits(alarm, now)
        elif _is_active(alarm, excursion, is_live=is_live):
            _update_alarm(excursion, alarm, customer_id, now, is_live=is_live)


def _is_active(alarm: Alarm | None, excursion: Excursion, *, is_live: bool) -> bool:
    """Return whether the alarm is active, or is to be one because its excursion is active now."""
    if alarm is not None and alarm.state != Alarm.State.CLOSED:
        return True
    return is_live and excursion.ended_at is None and (alarm is None or excursion.alarm_at is not None)


def _update_alarm(excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool) -> None:
    if excursion.alarm_at is None:
        _update_pending(excursion, alarm, customer_id, now, is_live=is_live)
    elif alarm is None or alarm.state == Alarm.State.PENDING:
        _open(excursion, alarm or _new_alarm(excursion, customer_id), now)
    else:
        _update_opened(excursion, alarm, now, is_live=is_live)


def _update_pending(
    excursion: Excursion, alarm: Alarm | None, customer_id: int, now: datetime, *, is_live: bool
) -> None:
    """Keep an alarm pending while the delay runs; discard it if the excursion ends before that."""
    is_active = excursion.ended_at is None
    if alarm is None:
        if is_active and is_live:
            _new_alarm(excursion, customer_id).save()
    elif alarm.state != Alarm.State.PENDING:
        withdraw(alarm, now, "Later readings show that the excursion was shorter than the alarm delay.")
    elif is_active:
        before = _mirrored(alarm)
        _copy_peak(alarm, excursion)
        if _mirrored(alarm) != before:
            alarm.save(update_fields=_MIRRORED)
    else:
        alarm.delete()


def _update_opened(excursion: Excursion, alarm: Alarm, now: datetime, *, is_live: bool) -> None:
    before = _mirrored(alarm)
    _copy_peak(alarm, excursion)
    has_worsened = _update_severity(alarm, severity_of(excursion), now)
    had_ended, alarm.ended_at = alarm.ended_at, excursion.ended_at
    is_active = alarm.ended_at is None
    if alarm.is_detected_late and is_live and is_active:
        # A backlog has been caught up on and the excursion is still active, so it must notify now.
        alarm.is_detected_late, alarm.closed_at = False, None
        open_alarm(alarm, excursion.last_outside_at, now)
        return
    # One that was closed is reopened also if the excursion first continued with readings from long ago.
    may_reopen = had_ended is not None or alarm.state == Alarm.State.CLOSED
    # Windows of mean kinetic temperature go on after the last reading.
    if is_active and is_live and may_reopen and alarm.customer.is_active:
        reopen(alarm, excursion.last_outside_at)
    elif _mirrored(alarm) != before:
        alarm.save(update_fields=_MIRRORED)
    if has_worsened and alarm.is_live:
        record_event(alarm, AlarmEvent.Kind.WORSENED, excursion.critical_alarm_at or now)
    if had_ended is None and alarm.ended_at is not None and alarm.is_live:
        record_event(alarm, AlarmEvent.Kind.ENDED, alarm.ended_at)


def _update_severity(alarm: Alarm, severity: Severity, now: datetime) -> bool:
    """Make a warning critical if its excursion is; return whether that happened.

    A critical alarm stays critical: what people were told is not taken back while goods may be at risk. If its critical
    delay was not completed after all, its timeline says so once.
    """
    if alarm.severity == severity:
        return False
    if severity is Severity.CRITICAL:
        alarm.severity = severity
        return True
    if not alarm.events.filter(kind=AlarmEvent.Kind.REVISED).exists():
        record_event(alarm, AlarmEvent.Kind.REVISED, now, text=STAYS_CRITICAL)
    return False


def severity_of(excursion: Excursion) -> Severity:
    """Return the severity of an excursion's alarm: critical once the delay beyond a critical limit was completed."""
    return Severity.WARNING if excursion.critical_alarm_at is None else Severity.CRITICAL


def _lock_alarms_of(excursions: Iterable[Excursion]) -> QuerySet[Alarm]:
    alarms = Alarm.objects.filter(excursion__in=list(excursions), is_withdrawn=False)
    return alarms.order_by("pk").select_for_update(no_key=True, of=("self",))


def _new_alarm(excursion: Excursion, customer_id: int) -> Alarm:
    alarm = Alarm(
        customer_id=customer_id,
        storage_unit_id=excursion.storage_unit_id,
        kind=Alarm.Kind(excursion.kind),
        state=Alarm.State.PENDING,
        severity=severity_of(excursion),
        excursion=excursion,
    )
    _copy_peak(alarm, excursion)
    return alarm


def _mirrored(alarm: Alarm) -> tuple[object, ...]:
    return tuple(getattr(alarm, name) for name in _MIRRORED)


def _copy_peak(alarm: Alarm, excursion: Excursion) -> None:
    alarm.started_at = excursion.started_at
    alarm.temperature_c, alarm.recorded_at = excursion.peak_c, excursion.peak_at


def _open(excursion: Excursion, alarm: Alarm, now: datetime) -> None:
    alarm.severity = severity_of(excursion)
    _copy_peak(alarm, excursion)
    open_alarm(alarm, excursion.alarm_at or now, now)
    if excursion.ended_at is not None:
        alarm.ended_at = excursion.ended_at
        alarm.save(update_fields=["ended_at"])
        record_event(alarm, AlarmEvent.Kind.ENDED, excursion.ended_at)
