"""Whatever limits hang on has changed: the units concerned get their new versions in the same transaction.

The trail names who made the request in which that happened, see `customers.access.audit_author`.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from alarms.limits.versions import LIMIT_COLUMNS, renew
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from customers.access.audit_author import author
from customers.models import StorageUnit
from readings.models import ConfigurationEntry


@receiver(post_save, sender=StorageUnit)
def renew_for_unit(instance: StorageUnit, **_: Any) -> None:
    """A unit's set temperature, scale and intervals are part of its limits."""
    renew([instance.pk], by=author())
    instance.refresh_from_db(fields=LIMIT_COLUMNS)


@receiver([post_save, post_delete], sender=UnitLimits)
def renew_for_choice(instance: UnitLimits, **_: Any) -> None:
    """A unit has other limits."""
    renew([instance.storage_unit_id], by=author())


@receiver(post_save, sender=LimitProfile)
def renew_for_profile(instance: LimitProfile, **_: Any) -> None:
    """A profile's units, and those that chose none, may have other limits."""
    has_it = Q(chosen_limits__profile=instance)
    units = StorageUnit.objects.filter(has_it | Q(chosen_limits=None) if instance.is_default else has_it)
    renew(units.values_list("pk", flat=True), by=author())


@receiver(post_save, sender=ConfigurationEntry)
def renew_for_configuration(instance: ConfigurationEntry, **_: Any) -> None:
    """The configured deviation is part of the limits of every unit that has limits around its set temperature."""
    if instance.key == "max_temperature_deviation":
        renew(LimitVersion.objects.values_list("storage_unit_id", flat=True).distinct(), by=author())
