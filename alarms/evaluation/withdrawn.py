"""Bring excursions and alarms in line with readings that were withdrawn."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from alarms.excursions.reconcile import Replacement, reconcile, stored_since
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.models import Excursion
from customers.models import StorageUnit
from readings.models import LatestReading
from readings.storage.archive.reading import recall
from readings.storage.rollups import EVER
from readings.storage.store import NewSpan

# Faults of sensors of which no reading is left. Those of others are updated by the evaluation.
DROP_FAULTS = """
DELETE FROM sensor_fault WHERE storage_unit_id = %(unit_id)s AND NOT EXISTS (
    SELECT FROM reading WHERE reading.storage_unit_id = sensor_fault.storage_unit_id
        AND reading.sensor_id = sensor_fault.sensor_id
)
"""


def evaluate_withdrawn(unit: StorageUnit, span: NewSpan, *, now: datetime | None = None) -> None:
    """Update the unit's excursions and alarms after its readings in `span` were withdrawn.

    Call it in the transaction that withdrew them and rebuilt the roll-ups, which holds the unit's lock.
    """
    now = now or timezone.now()
    # An archived reading may be the latest now.
    recall([unit.pk], EVER, now)
    with connection.cursor() as cursor:
        cursor.execute(DROP_FAULTS, {"unit_id": unit.pk})
    if LatestReading.objects.filter(pk=unit.pk).exists():
        evaluate({unit.pk: span}, now=now)
        return
    nothing = [
        Replacement(
            unit_id=unit.pk,
            customer_id=unit.facility.customer_id,
            kind=kind,
            found=[],
            stored=stored_since(unit.pk, kind, EVER),
            live_within=timedelta(),
        )
        for kind in Excursion.Kind
    ]
    update_alarms(reconcile(nothing, now), now)
