"""Alarm drills: end-to-end tests of a customer's notifications with a test alarm on a virtual unit.

The virtual unit breaches its limits with an ordinary reading, so that the whole path is exercised: storing, evaluation,
opening the alarm, the rules, and every channel they name. A drill ends when all its messages have been delivered or
given up, or after five minutes; then the unit returns within its limits, and its alarm closes automatically.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from alarms.limits.versions import update_versions
from alarms.models import Alarm, Drill, DrillSchedule, LimitVersion, Message, UnitLimits
from customers.models import Customer, Facility, StorageUnit
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import store

logger = structlog.get_logger(__name__)

FACILITY_CODE, UNIT_CODE = "alarm-drill", "alarm-drill"
HIGH_C, BREACH_C, NORMAL_C = 8.0, 20.0, 5.0
MAX_DURATION = timedelta(minutes=5)
# How long a drill without messages waits for one: the alarm opens at the next tick at the latest.
TIME_TO_OPEN = timedelta(seconds=30)
ENDINGS = [Message.Reason.CLOSED, Message.Reason.WITHDRAWN]


class DrillInProgress(Exception):  # noqa: N818  reads better where it is caught
    """A drill of this customer is already running."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one message of a drill; `seconds` from the start to its delivery, None if not delivered."""

    channel: str
    reason: str
    state: str
    seconds: float | None


def start(customer: Customer, *, by: str, now: datetime | None = None) -> Drill:
    """Start a drill. `by` is empty if the schedule starts it. Raise DrillInProgress."""
    now = now or timezone.now()
    try:
        with transaction.atomic():
            drill = Drill.objects.create(customer=customer, started_at=now, started_by=by)
            _store_reading(synthetic_unit(customer), BREACH_C, now)
            _find_alarm(drill)
    except IntegrityError as error:
        raise DrillInProgress(_in_progress_text(customer, now)) from error
    logger.info("drill started", drill=str(drill.public_id), customer=customer.customer_code)
    return drill


def _in_progress_text(customer: Customer, now: datetime) -> str:
    running = Drill.objects.filter(customer=customer, ended_at=None).first()
    if running is None:
        return f"A drill for {customer.name} has just ended; start another one."
    ends_at = running.started_at + MAX_DURATION
    if now < ends_at:
        text = f"is already running. It ends by {ends_at:%H:%M} UTC; start another after that."
    else:
        text = f"should have ended by {ends_at:%H:%M} UTC: are beat and a worker running?"
    return f"A drill for {customer.name} {text}"


def start_due(now: datetime) -> int:
    """Start the scheduled drills; return how many. Safe when two ticks run at once."""
    started = 0
    schedules = DrillSchedule.objects.filter(next_due_at__lte=now, customer__is_active=True)
    for schedule in schedules.select_related("customer"):
        due = DrillSchedule.objects.filter(pk=schedule.pk, next_due_at=schedule.next_due_at)
        if not due.update(next_due_at=now + timedelta(days=schedule.every_days)):
            continue
        try:
            start(schedule.customer, by="", now=now)
        except DrillInProgress:
            continue  # One that was started manually serves as well.
        started += 1
    return started


def finish_drills(now: datetime) -> int:
    """End the completed drills; return their number."""
    running = Drill.objects.filter(ended_at=None).select_related("customer", "alarm")
    return sum(_end_if_complete(drill, now) for drill in running)


def results(drill: Drill) -> Sequence[Result]:
    """Return the outcome of the drill's messages in order of creation, except those about its end."""
    if drill.alarm is None:
        return []
    messages = Message.objects.filter(alarm=drill.alarm).exclude(reason__in=ENDINGS)
    return [
        Result(
            message.channel.name,
            message.get_reason_display(),
            (message.folded_into or message).get_state_display(),
            _seconds(drill, message.folded_into or message),
        )
        for message in messages.select_related("channel", "folded_into").order_by("pk")
    ]


def synthetic_unit(customer: Customer) -> StorageUnit:
    """Return the customer's virtual unit, created if needed: at most 8 °C, without delay."""
    facility, _ = Facility.objects.get_or_create(
        customer=customer, facility_code=FACILITY_CODE, defaults={"name": "Alarm drill"}
    )
    unit, is_new = StorageUnit.objects.get_or_create(
        facility=facility, unit_code=UNIT_CODE, defaults={"name": "Alarm drill", "is_synthetic": True}
    )
    if is_new:
        unit.sensors.create(sensor_code="")
        UnitLimits.objects.create(
            storage_unit=unit, high_warning_c=HIGH_C, high_critical_c=HIGH_C, high_delay_seconds=0, low_delay_seconds=0
        )
        # Its only version must be valid from the beginning, because the first reading is from a moment ago.
        LimitVersion.objects.filter(storage_unit=unit).delete()
        update_versions([unit.pk])
    return unit


def _end_if_complete(drill: Drill, now: datetime) -> bool:
    _find_alarm(drill)
    if not _is_complete(drill, now):
        return False
    with transaction.atomic():
        if not Drill.objects.filter(pk=drill.pk, ended_at=None).update(ended_at=now):
            return False
        _store_reading(synthetic_unit(drill.customer), NORMAL_C, now)
    logger.info("drill ended", drill=str(drill.public_id), customer=drill.customer.customer_code)
    return True


def _is_complete(drill: Drill, now: datetime) -> bool:
    if now - drill.started_at >= MAX_DURATION:
        return True
    if drill.alarm is None:
        return False
    states = set(Message.objects.filter(alarm=drill.alarm).values_list("state", "folded_into__state"))
    if not states:
        return now - drill.started_at >= TIME_TO_OPEN
    return all(Message.State.WAITING not in pair for pair in states)


def _find_alarm(drill: Drill) -> None:
    """Set the drill's alarm once it has opened."""
    if drill.alarm is not None:
        return
    alarms = Alarm.objects.filter(customer=drill.customer, storage_unit__is_synthetic=True, opened_at__isnull=False)
    drill.alarm = alarms.filter(opened_at__gte=drill.started_at).order_by("pk").first()
    drill.save(update_fields=["alarm"])


def _store_reading(unit: StorageUnit, temperature_c: float, at: datetime) -> None:
    sensor = unit.sensors.order_by("pk").first()
    if sensor is None:
        return
    with transaction.atomic():
        stored = store(ReadingBatch.of_rows([ReadingRow(unit.pk, sensor.pk, at, temperature_c)]))
        evaluate(stored.new_spans, now=at)


def _seconds(drill: Drill, message: Message) -> float | None:
    return (message.sent_at - drill.started_at).total_seconds() if message.sent_at else None


def interval_days(customer: Customer) -> int | None:
    """Return after how many days the customer's drills are repeated, None if they are not."""
    schedule = DrillSchedule.objects.filter(customer=customer).first()
    return schedule.every_days if schedule else None


def set_schedule(customer: Customer, every_days: int | None, now: datetime) -> None:
    """Schedule the customer's drills every `every_days` days from now; None removes the schedule."""
    if every_days is None:
        DrillSchedule.objects.filter(customer=customer).delete()
        return
    DrillSchedule.objects.update_or_create(
        customer=customer, defaults={"every_days": every_days, "next_due_at": now + timedelta(days=every_days)}
    )
