"""Requests to rebuild roll-ups, and running them.

A facility's time zone determines where its days begin, a unit's staleness limit how long its readings are valid.
Changing either writes a request in the same transaction; the refreshing task processes the requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
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
def rebuild_when_time_zone_changes(instance: Facility, **_: Any) -> None:
    """Request a rebuild for a facility's units if its time zone changes, because its days then differ."""
    before = Facility.objects.filter(pk=instance.pk).values_list("time_zone", flat=True).first()
    if before is not None and before != instance.time_zone:
        request_rebuild(instance.units.values_list("pk", flat=True))


@receiver(pre_save, sender=StorageUnit)
def rebuild_when_staleness_limit_changes(instance: StorageUnit, **_: Any) -> None:
    """Request a rebuild if a unit's staleness limit or facility changes."""
    before = StorageUnit.objects.filter(pk=instance.pk).first()
    if before is None:
        return
    if (before.effective_staleness_limit_seconds, before.facility_id) != (
        instance.effective_staleness_limit_seconds,
        instance.facility_id,
    ):
        request_rebuild([instance.pk])
