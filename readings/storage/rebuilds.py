"""Requests to rebuild roll-ups, and running them.

A facility's time zone determines where its days begin, a unit's staleness limit and the retirement of its sensors how
long its readings are valid. Changing any of them writes a request; the refreshing task processes the requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils import timezone

from core.db.attempts import begin_attempt, error_text, is_due
from customers.models import Sensor
from customers.signals import units_changed
from readings.models import RollupRebuild
from readings.storage.rollups import rebuild, settle

logger = structlog.get_logger(__name__)

# The attributes of a unit, and of its facility, that its roll-ups depend on.
REBUILT_FOR = frozenset({"effective_staleness_limit_seconds", "facility_id", "time_zone"})
# Longer than rebuilding a unit takes, as another worker would begin then.
FIRST_RETRY_SECONDS = 300.0


def request_rebuild(unit_ids: Iterable[int]) -> None:
    """Request that the roll-ups of these units are rebuilt; what has been requested is due again at once."""
    RollupRebuild.objects.bulk_create(
        [RollupRebuild(storage_unit_id=unit_id) for unit_id in unit_ids],
        update_conflicts=True,
        unique_fields=["storage_unit"],
        update_fields=["requested_at", "next_attempt_at"],
    )


def run_requested_rebuilds(now: datetime | None = None, *, deadline: datetime | None = None) -> int:
    """Rebuild and refresh the requested roll-ups unit by unit, in transactions of their own; return how many succeeded.

    Stop at `deadline`; the next run continues with those that are left. What fails, or ends the process, is attempted
    again with increasing delays, and the error is kept with the request.
    """
    rebuilt = 0
    due = RollupRebuild.objects.filter(is_due(now or timezone.now()))
    for unit_id, requested_at in due.order_by("requested_at").values_list("pk", "requested_at"):
        if deadline is not None and timezone.now() > deadline:
            break
        if begin_attempt(RollupRebuild, unit_id, now or timezone.now(), first_seconds=FIRST_RETRY_SECONDS):
            rebuilt += _rebuild(unit_id, requested_at)
    return rebuilt


def _rebuild(unit_id: int, requested_at: datetime) -> bool:
    # One that is requested again meanwhile remains.
    request = RollupRebuild.objects.filter(pk=unit_id, requested_at=requested_at)
    try:
        rebuild([unit_id])
        settle(unit_id)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # whatever it is: it is kept, and the other units are rebuilt
        logger.exception("roll-ups not rebuilt", storage_unit_id=unit_id)
        request.update(error=error_text(error))
        return False
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
