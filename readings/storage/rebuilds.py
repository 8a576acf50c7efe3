"""Requests to rebuild roll-ups, and running them.

A facility's time zone determines where its days begin, a unit's staleness limit how long its readings are valid.
Changing either writes a request in the same transaction; the refreshing task processes the requests. Bulk operations
send no signals: code that uses them calls `request_rebuild` itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import pre_save
from django.dispatch import receiver

from customers.models import Facility, StorageUnit
from readings.models import RollupRebuild
from readings.storage.rollups import rebuild


def request_rebuild(unit_ids: Iterable[int]) -> None:
    """Request that the roll-ups of these units are rebuilt."""
    RollupRebuild.objects.bulk_create(
        [RollupRebuild(storage_unit_id=unit_id) for unit_id in unit_ids], ignore_conflicts=True
    )


def run_requested_rebuilds() -> int:
    """Rebuild the requested roll-ups, one transaction per unit; return the number of units."""
    rebuilt = 0
    while _rebuild_one():
        rebuilt += 1
    return rebuilt


@transaction.atomic
def _rebuild_one() -> bool:
    request = RollupRebuild.objects.select_for_update(skip_locked=True).order_by("requested_at").first()
    if request is None:
        return False
    rebuild([request.storage_unit_id])
    request.delete()
    return True


@receiver(pre_save, sender=Facility)
@receiver(pre_save, sender=StorageUnit)
def rebuild_on_change(instance: Facility | StorageUnit, **_: object) -> None:
    """Request a rebuild for the units whose days or staleness limit change by saving `instance`."""
    before = type(instance)._default_manager.filter(pk=instance.pk).first()
    if before is None or _basis(before) == _basis(instance):
        return
    request_rebuild([instance.pk] if isinstance(instance, StorageUnit) else instance.units.values_list("pk", flat=True))


def _basis(instance: Model) -> object:
    """Return what the roll-ups of an object's units depend on."""
    if isinstance(instance, StorageUnit):
        return instance.effective_staleness_limit_seconds, instance.facility_id
    return instance.time_zone if isinstance(instance, Facility) else None
