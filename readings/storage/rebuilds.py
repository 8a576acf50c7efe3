"""Requests to rebuild roll-ups, and running them.

A facility's time zone determines where its days begin, a unit's staleness limit and the retirement of its sensors how
long its readings are valid. Changing any of them writes a request; the refreshing task processes the requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models.signals import pre_save
from django.dispatch import receiver

from customers.models import Sensor
from customers.signals import units_changed
from readings.models import RollupRebuild
from readings.storage.rollups import rebuild

# The attributes of a unit, and of its facility, that its roll-ups depend on.
REBUILT_FOR = frozenset({"effective_staleness_limit_seconds", "facility_id", "time_zone"})


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


@receiver(units_changed)
def rebuild_on_change(changes: Mapping[int, frozenset[str]], **_: object) -> None:
    """Request a rebuild for the units whose days or staleness limit changed."""
    request_rebuild(unit_id for unit_id, attributes in changes.items() if attributes & REBUILT_FOR)


@receiver(pre_save, sender=Sensor)
def rebuild_on_retirement(instance: Sensor, **_: object) -> None:
    """Request a rebuild for the unit of a sensor that is retired, at another time than before or not any more."""
    before = Sensor.objects.filter(pk=instance.pk).values_list("retired_at", flat=True).first()
    if instance.pk is not None and before != instance.retired_at:
        request_rebuild([instance.storage_unit_id])
