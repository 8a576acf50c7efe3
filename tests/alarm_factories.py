"""Factories of excursions, alarms and notifications as evaluation and the life cycle write them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import factory
from django.db.models import Model
from django.utils import timezone

from alarms.lifecycle.transitions import record_event
from alarms.models import (
    Alarm,
    AlarmEvent,
    Channel,
    EvaluationFailure,
    Excursion,
    LimitProfile,
    LimitVersion,
    MaintenanceWindow,
    Message,
    Rule,
)
from alarms.notifications.channels.webhook import new_secret
from customers.models import StorageUnit
from tests.factories import CustomerFactory, ModelFactory, StorageUnitFactory

HOUR = timedelta(hours=1)


def newest_version_of(unit: StorageUnit) -> LimitVersion:
    """Return the unit's newest limit version; by default 2 K and 5 K around its 5 °C."""
    newest: LimitVersion = LimitVersion.objects.filter(storage_unit=unit).latest("valid_from")
    return newest


class ExcursionFactory(ModelFactory[Excursion]):
    """An ongoing excursion that began two hours ago, at 12 °C in a unit set to 5 °C."""

    class Meta:
        model = Excursion

    storage_unit = factory.SubFactory(StorageUnitFactory)
    limit_version = factory.LazyAttribute(lambda excursion: newest_version_of(excursion.storage_unit))
    started_at = factory.LazyFunction(lambda: timezone.now() - 2 * HOUR)
    ended_at = None
    last_outside_at = factory.LazyAttribute(lambda excursion: excursion.ended_at or timezone.now())
    severity = "critical"
    peak_c = 12.0
    peak_at = factory.LazyAttribute(lambda excursion: excursion.started_at + HOUR)
    area_kelvin_minutes = 600.0
    outside_seconds = 7_200.0
    gap_seconds = 600.0
    mkt_c = 11.5
    alarm_at = factory.LazyAttribute(lambda excursion: excursion.started_at + HOUR / 2)


def create_opened_event(alarm: Alarm, create: bool, extracted: bool | None, **kwargs: object) -> None:
    """Create the event of an alarm's opening, unless `opened_event=False`."""
    if alarm.opened_at is not None and extracted is not False:
        AlarmEvent.objects.create(alarm=alarm, kind=AlarmEvent.Kind.OPENED, happened_at=alarm.opened_at)


class EvaluationFailureFactory(ModelFactory[EvaluationFailure]):
    """A unit whose temperatures could not be evaluated since an hour ago, in one attempt."""

    class Meta:
        model = EvaluationFailure

    storage_unit = factory.SubFactory(StorageUnitFactory)
    part = EvaluationFailure.Part.TEMPERATURE
    failed_at = factory.LazyFunction(lambda: timezone.now() - HOUR)
    first_at = last_at = last_attempt_at = factory.SelfAttribute("failed_at")
    next_attempt_at = factory.LazyFunction(timezone.now)
    attempts = 1
    reason = "ValueError: the detector's state is unreadable"
    error = "Traceback (most recent call last):\n  line 7, in step\nValueError: the detector's state is unreadable\n"


class AlarmFactory(ModelFactory[Alarm]):
    """An open temperature alarm of a unit with an ongoing excursion."""

    class Meta:
        model = Alarm
        skip_postgeneration_save = True

    # What a subclass declares in another way is an object.
    storage_unit: object = factory.SubFactory(StorageUnitFactory)
    customer: object = factory.LazyAttribute(lambda alarm: alarm.storage_unit.facility.customer)
    excursion: object = factory.SubFactory(
        ExcursionFactory,
        storage_unit=factory.SelfAttribute("..storage_unit"),
        started_at=factory.SelfAttribute("..started_at"),
        ended_at=factory.SelfAttribute("..ended_at"),
        severity=factory.SelfAttribute("..severity"),
    )
    kind = Alarm.Kind.TEMPERATURE
    severity = "critical"
    state = Alarm.State.OPEN
    started_at = factory.LazyFunction(lambda: timezone.now() - 2 * HOUR)
    ended_at: object = None
    temperature_c: object = 12.0
    recorded_at: object = factory.LazyAttribute(lambda alarm: alarm.started_at + HOUR)
    opened_at = factory.LazyAttribute(lambda alarm: alarm.started_at + HOUR / 2)

    opened_event = factory.PostGeneration(create_opened_event)


class SourceAlarmFactory(AlarmFactory):
    """An open alarm of a source that is down."""

    customer = factory.SubFactory(CustomerFactory)
    storage_unit = None
    excursion = None
    kind = Alarm.Kind.SOURCE_DOWN
    source_key = factory.LazyFunction(uuid.uuid4)
    source_name = "the depot's logger"
    temperature_c = None
    recorded_at = None


class NoDataAlarmFactory(AlarmFactory):
    """An open alarm of a unit without data."""

    kind = Alarm.Kind.NO_DATA
    severity = "warning"
    excursion = None
    temperature_c = None
    recorded_at = None


class ClosedAlarmFactory(AlarmFactory):
    """A temperature alarm that ended and closed automatically an hour ago."""

    state = Alarm.State.CLOSED
    ended_at = factory.LazyFunction(lambda: timezone.now() - HOUR)
    closed_at = factory.SelfAttribute("ended_at")


class MaintenanceWindowFactory(ModelFactory[MaintenanceWindow]):
    """A window of two hours for the whole customer that began an hour ago."""

    class Meta:
        model = MaintenanceWindow

    customer = factory.SubFactory(CustomerFactory)
    starts_at = factory.LazyFunction(lambda: timezone.now() - HOUR)
    ends_at = factory.LazyAttribute(lambda window: window.starts_at + 2 * HOUR)
    reason = "Stocktaking"


class LimitProfileFactory(ModelFactory[LimitProfile]):
    """2 to 8 °C, critical beyond 0 to 10 °C."""

    class Meta:
        model = LimitProfile

    name = factory.Sequence(lambda n: f"profile {n}")
    low_critical_c = 0.0
    low_warning_c = 2.0
    high_warning_c = 8.0
    high_critical_c = 10.0


class ChannelFactory(ModelFactory[Channel]):
    """An e-mail channel without rate limit and flap window."""

    class Meta:
        model = Channel

    customer = factory.SubFactory(CustomerFactory)
    kind = Channel.Kind.EMAIL
    name = factory.Sequence(lambda n: f"channel {n}")
    address: object = factory.Sequence(lambda n: f"shift{n}@example.com")
    messages_a_minute = 1_000
    flap_minutes = 0


class WebhookChannelFactory(ChannelFactory):
    """A webhook channel with a secret."""

    kind = Channel.Kind.WEBHOOK
    address = "https://receiver.example.com/alarms"
    secret = factory.LazyFunction(new_secret)


def set_channels(rule: Rule, create: bool, extracted: Iterable[Channel] | None, **kwargs: object) -> None:
    """Set a rule's channels, to a new one if none are given."""
    rule.channels.set([ChannelFactory(customer=rule.customer)] if extracted is None else extracted)


def setter_of(relation: str) -> Callable[..., None]:
    """Return what sets this relation of a rule to the rows given for it, by default to none."""

    def set_rows(rule: Rule, create: bool, extracted: Iterable[Model] | None, **kwargs: object) -> None:
        getattr(rule, relation).set(extracted or [])

    return set_rows


class RuleFactory(ModelFactory[Rule]):
    """A rule for all alarms at all hours, with one channel unless `channels` are given."""

    class Meta:
        model = Rule
        skip_postgeneration_save = True

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"rule {n}")

    channels = factory.PostGeneration(set_channels)
    escalation_channels = factory.PostGeneration(setter_of("escalation_channels"))
    facilities = factory.PostGeneration(setter_of("facilities"))
    units = factory.PostGeneration(setter_of("units"))


class MessageFactory(ModelFactory[Message]):
    """A due message that refers to no alarm."""

    class Meta:
        model = Message

    channel = factory.SubFactory(ChannelFactory)
    reason = Message.Reason.OPENED
    subject = factory.Sequence(lambda n: f"Critical: temperature, refrigerator {n}")
    body = factory.SelfAttribute("subject")
    data = factory.LazyAttribute(
        lambda message: {"type": "alarm.opened", "timestamp": "2026-11-25T10:00:00Z", "data": {"is_drill": False}}
    )


def open_alarm(at: datetime | None = None, **kwargs: object) -> Alarm:
    """Open an alarm now, or at `at`, and dispatch its notifications."""
    at = at or timezone.now()
    alarm = AlarmFactory(**({"started_at": at, "opened_at": at, "opened_event": False} | kwargs))
    record_event(alarm, AlarmEvent.Kind.OPENED, at)
    return alarm
