"""Made-up excursions and alarms, as `alarms.evaluation` and `alarms.lifecycle` leave them behind."""

from __future__ import annotations

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from alarms.models import Alarm, AlarmEvent, Excursion, LimitProfile, LimitVersion, MaintenanceWindow
from tests.factories import StorageUnitFactory

HOUR = timedelta(hours=1)


def newest_version_of(unit) -> LimitVersion:
    """The limits that a unit got when it was made: 2 K and 5 K around its 5 °C."""
    return LimitVersion.objects.filter(storage_unit=unit).latest("valid_from")


class ExcursionFactory(DjangoModelFactory):
    """Two hours that began two hours ago and last, at 12 °C in a unit meant to hold 5 °C."""

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


class AlarmFactory(DjangoModelFactory):
    """An open temperature alarm of a unit, for an excursion that lasts."""

    class Meta:
        model = Alarm
        skip_postgeneration_save = True

    storage_unit = factory.SubFactory(StorageUnitFactory)
    customer = factory.LazyAttribute(lambda alarm: alarm.storage_unit.facility.customer)
    excursion = factory.SubFactory(
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
    ended_at = None
    temperature_c = 12.0
    recorded_at = factory.LazyAttribute(lambda alarm: alarm.started_at + HOUR)
    opened_at = factory.LazyAttribute(lambda alarm: alarm.started_at + HOUR / 2)

    @factory.post_generation
    def trail(alarm, create, extracted, **kwargs) -> None:  # noqa: N805
        """The event of its opening, of an alarm that opened."""
        if alarm.opened_at is not None:
            AlarmEvent.objects.create(alarm=alarm, kind=AlarmEvent.Kind.OPENED, happened_at=alarm.opened_at)


class NoDataAlarmFactory(AlarmFactory):
    """An open alarm of a unit that sends nothing."""

    kind = Alarm.Kind.NO_DATA
    severity = "warning"
    excursion = None
    temperature_c = None
    recorded_at = None


class ClosedAlarmFactory(AlarmFactory):
    """A temperature alarm that ended an hour ago and closed itself."""

    state = Alarm.State.CLOSED
    ended_at = factory.LazyFunction(lambda: timezone.now() - HOUR)
    closed_at = factory.SelfAttribute("ended_at")


class MaintenanceWindowFactory(DjangoModelFactory):
    """The whole customer, from an hour ago until in an hour."""

    class Meta:
        model = MaintenanceWindow

    customer = factory.SubFactory("tests.factories.CustomerFactory")
    starts_at = factory.LazyFunction(lambda: timezone.now() - HOUR)
    ends_at = factory.LazyFunction(lambda: timezone.now() + HOUR)
    reason = "Stocktaking"


class LimitProfileFactory(DjangoModelFactory):
    """2 to 8 °C, critical beyond 0 to 10 °C."""

    class Meta:
        model = LimitProfile

    name = factory.Sequence(lambda n: f"profile {n}")
    low_critical_c = 0.0
    low_warning_c = 2.0
    high_warning_c = 8.0
    high_critical_c = 10.0
