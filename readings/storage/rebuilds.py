"""Which units' roll-ups must be made anew, and doing so.

A facility's time zone says where its days begin, a unit's gap limit for how long its readings stand. Who changes
either leaves a request in the same transaction; the settling task works through the requests.
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
    """Have the roll-ups of these units made anew."""
    RollupRebuild.objects.bulk_create(
        [RollupRebuild(storage_unit_id=unit_id) for unit_id in unit_ids], ignore_conflicts=True
    )


def rebuild_requested() -> int:
    """Make the requested roll-ups anew, a transaction a unit; return how many units' were."""
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
def request_when_days_move(instance: Facility, **_: Any) -> None:
    """A facility with another time zone has other days."""
    before = Facility.objects.filter(pk=instance.pk).values_list("time_zone", flat=True).first()
    if before is not None and before != instance.time_zone:
        request_rebuild(instance.units.values_list("pk", flat=True))


@receiver(pre_save, sender=StorageUnit)
def request_when_staleness_limit_changes(instance: StorageUnit, **_: Any) -> None:
    """Readings of a unit with another gap limit, or in another facility, stand for other times."""
    before = StorageUnit.objects.filter(pk=instance.pk).first()
    if before is None:
        return
    if (before.effective_staleness_limit_seconds, before.facility_id) != (
        instance.effective_staleness_limit_seconds,
        instance.facility_id,
    ):
        request_rebuild([instance.pk])
