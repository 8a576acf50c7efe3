"""The signal that storage units changed, for apps that derive something from them.

Saving a unit sends it, and so does moving a facility to another time zone. Bulk updates send none of Django's signals:
code that uses them calls `send_units_changed` in the same transaction. Units registered in bulk have nothing derived
yet; their first limit version is created with their first readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal, receiver

from customers.models import Facility, StorageUnit

# Receivers get `changes`, the names of the changed attributes by unit id, empty if none of those below changed, and
# `instance`, the unit that was saved, None after a bulk update.
units_changed = Signal()

# What other apps derive something from, apart from limits, which are always compared as a whole.
UNIT_ATTRIBUTES = ("facility_id", "effective_staleness_limit_seconds")
FACILITY_ATTRIBUTES = ("time_zone",)

Attributes = tuple[object, ...]


def unit_attributes(unit: StorageUnit) -> Attributes:
    """Return the attributes that `send_units_changed` compares; call it before a bulk update."""
    return tuple(getattr(unit, name) for name in UNIT_ATTRIBUTES)


def send_units_changed(units: Iterable[StorageUnit], before: Mapping[int, Attributes]) -> None:
    """Announce that `units` were changed by a bulk update; `before` has their previous attributes by id."""
    changes = {unit.pk: _changed(UNIT_ATTRIBUTES, before[unit.pk], unit_attributes(unit)) for unit in units}
    units_changed.send(StorageUnit, changes=changes, instance=None)


@receiver(pre_save, sender=StorageUnit)
@receiver(pre_save, sender=Facility)
def note_changes(instance: StorageUnit | Facility, **_: object) -> None:
    """Compare the object with what is stored, which is only possible before it is saved."""
    names = UNIT_ATTRIBUTES if isinstance(instance, StorageUnit) else FACILITY_ATTRIBUTES
    stored = type(instance)._default_manager.filter(pk=instance.pk).first() if instance.pk else None
    instance.changed_attributes = (
        frozenset(name for name in names if getattr(stored, name) != getattr(instance, name)) if stored else frozenset()
    )


@receiver(post_save, sender=StorageUnit)
def announce_unit(instance: StorageUnit, **_: object) -> None:
    """Send `units_changed` for a unit that was saved."""
    units_changed.send(StorageUnit, changes={instance.pk: instance.changed_attributes}, instance=instance)


@receiver(post_save, sender=Facility)
def announce_units_of_facility(instance: Facility, **_: object) -> None:
    """Send `units_changed` for the units of a facility whose time zone changed."""
    if instance.changed_attributes:
        changes = dict.fromkeys(instance.units.values_list("pk", flat=True), instance.changed_attributes)
        units_changed.send(StorageUnit, changes=changes, instance=None)


def _changed(names: Iterable[str], before: Attributes, after: Attributes) -> frozenset[str]:
    return frozenset(name for name, old, new in zip(names, before, after, strict=True) if old != new)
