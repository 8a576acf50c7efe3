"""Update limit versions when anything that limits depend on changes.

New versions name the actor of the current request, see `customers.access.audit_actor`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Model, Q
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from alarms.limits.versions import COPIED_COLUMNS, update_versions
from alarms.models import CustomerLimits, LimitProfile, LimitVersion, Reevaluation, UnitLimits
from alarms.models.limit_locks import (
    hold_shared_limits,
    lock_limits_of_customer,
    lock_limits_of_units,
    lock_shared_limits,
)
from customers.access.audit_actor import audit_actor
from customers.models import Sensor, StorageUnit
from customers.signals import units_changed
from readings.configuration import DEVIATION_KEY
from readings.models import ConfigurationEntry, LatestReading


@receiver(units_changed)
def update_versions_of_units(
    changes: Mapping[int, frozenset[str]], instance: StorageUnit | None = None, **_: object
) -> None:
    """Give these units new versions if their limits changed. A unit that was saved gets the limits in force, too."""
    with transaction.atomic():
        if instance is not None and _is_new_or_moved(instance, changes[instance.pk]):
            # Who changes what units share at the same time does not see it among the units that depend on that.
            hold_shared_limits()
        update_versions(changes, by=audit_actor())
    if instance is not None:
        instance.refresh_from_db(fields=COPIED_COLUMNS)


def _is_new_or_moved(unit: StorageUnit, changed: frozenset[str]) -> bool:
    return "facility_id" in changed or not LimitVersion.objects.filter(storage_unit=unit).exists()


@receiver(pre_delete, sender=UnitLimits)
def lock_unit_of_choice(instance: UnitLimits, **_: object) -> None:
    """Let nobody change the unit's limits, or what it shares with others from now on, while its choice is deleted."""
    lock_limits_of_units([instance.storage_unit_id])


@receiver(pre_delete, sender=CustomerLimits)
def lock_customer_of_choice(instance: CustomerLimits, **_: object) -> None:
    """Let nobody change limits of the customer's units while its choice is deleted."""
    lock_limits_of_customer(instance.customer_id)


@receiver(pre_save, sender=ConfigurationEntry)
def lock_configured_deviation(instance: ConfigurationEntry, **_: object) -> None:
    """Let nobody change limits while the deviation that they follow from is changed."""
    if instance.key == DEVIATION_KEY:
        lock_shared_limits()


@receiver([post_save, post_delete], sender=UnitLimits)
@receiver([post_save, post_delete], sender=CustomerLimits)
@receiver(post_save, sender=LimitProfile)
@receiver(post_save, sender=ConfigurationEntry)
def update_versions_on_change(instance: Model, **_: object) -> None:
    """Give the units whose limits depend on `instance` new versions if their limits changed."""
    unit_ids = _dependent_units(instance)
    if unit_ids is None:
        return
    if isinstance(instance, UnitLimits):
        update_versions(unit_ids, by=audit_actor(), at=instance.applies_from, reason=instance.reason)
    else:
        update_versions(unit_ids, by=audit_actor())


@receiver(pre_save, sender=Sensor)
def evaluate_without_retired_sensor(instance: Sensor, **_: object) -> None:
    """Have the unit evaluated again since a sensor was retired, or not any more."""
    before = Sensor.objects.filter(pk=instance.pk).values_list("retired_at", flat=True).first()
    if instance.pk is None or before == instance.retired_at:
        return
    newest = LatestReading.objects.filter(pk=instance.storage_unit_id).values_list("recorded_at", flat=True).first()
    since = min(each for each in (before, instance.retired_at, newest) if each is not None)
    Reevaluation.request(instance.storage_unit_id, since, Reevaluation.Reason.SENSOR)


def _dependent_units(instance: Model) -> Iterable[int] | None:
    """Return the ids of the units whose limits depend on `instance`, None if it has no influence on limits."""
    if isinstance(instance, UnitLimits):
        return [instance.storage_unit_id]
    if isinstance(instance, CustomerLimits):
        units = StorageUnit.objects.filter(facility__customer=instance.customer_id, chosen_limits=None)
        return units.values_list("pk", flat=True)
    if isinstance(instance, LimitProfile):
        of_customer = Q(chosen_limits=None, facility__customer__limits__profile=instance)
        dependent = Q(chosen_limits__profile=instance) | of_customer
        if instance.is_default or not LimitProfile.objects.filter(is_default=True).exists():
            dependent |= Q(chosen_limits=None)
        return StorageUnit.objects.filter(dependent).values_list("pk", flat=True)
    if isinstance(instance, ConfigurationEntry) and instance.key == DEVIATION_KEY:
        return StorageUnit.objects.filter(limit_versions__isnull=False).values_list("pk", flat=True).distinct()
    return None
