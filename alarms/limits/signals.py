"""Give units new limit versions when anything their limits depend on changes, in the same transaction.

The trail names who made the request in which that happened, see `customers.access.audit_actor`.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from alarms.limits.versions import LIMIT_COLUMNS, update_versions
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from customers.access.audit_actor import audit_actor
from customers.models import StorageUnit
from readings.models import ConfigurationEntry


@receiver(post_save, sender=StorageUnit)
def update_for_unit(instance: StorageUnit, **_: Any) -> None:
    """Update the unit: its set temperature, scale and intervals are part of its limits."""
    update_versions([instance.pk], by=audit_actor())
    instance.refresh_from_db(fields=LIMIT_COLUMNS)


@receiver([post_save, post_delete], sender=UnitLimits)
def update_for_choice(instance: UnitLimits, **_: Any) -> None:
    """Update the unit whose choice of limits changed."""
    update_versions([instance.storage_unit_id], by=audit_actor())


@receiver(post_save, sender=LimitProfile)
def update_for_profile(instance: LimitProfile, **_: Any) -> None:
    """Update the units of a profile, and those without a choice if it is the default."""
    has_it = Q(chosen_limits__profile=instance)
    units = StorageUnit.objects.filter(has_it | Q(chosen_limits=None) if instance.is_default else has_it)
    update_versions(units.values_list("pk", flat=True), by=audit_actor())


@receiver(post_save, sender=ConfigurationEntry)
def update_for_configuration(instance: ConfigurationEntry, **_: Any) -> None:
    """Update all units if the configured deviation from the set temperature changed."""
    if instance.key == "max_temperature_deviation":
        update_versions(LimitVersion.objects.values_list("storage_unit_id", flat=True).distinct(), by=audit_actor())
