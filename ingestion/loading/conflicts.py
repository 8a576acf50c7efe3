"""Save, accept and dismiss conflicts: readings that contradict stored ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from audit.context import stating_reason
from ingestion.loading.undone_rows import measurement_of, taken_over_if_undone
from ingestion.models import Conflict, Delivery
from readings.storage import future_readings
from readings.storage.reading_batch import ReadingBatch, instants_of
from readings.storage.revisions import replace_measurement
from readings.storage.store import NewSpan, lock_units

logger = structlog.get_logger(__name__)

_OF_UNDONE = ("state", "delivery_id", "stored_temperature_c", "decided_at", "decided_by")
SAVE = f"""
INSERT INTO reading_conflict AS kept (public_id, storage_unit_id, sensor_id, recorded_at, temperature_c, scale,
    quality_score, equipment_status_id, stored_temperature_c, delivery_id, received_at, seen_count, last_seen_at,
    state, decided_by)
SELECT gen_random_uuid(), storage_unit_id, sensor_id, recorded_at, sent.temperature_c, sent.scale,
    sent.quality_score, sent.equipment_status_id, stored.temperature_c, %(delivery_id)s, %(now)s, seen_count, %(now)s,
    'waiting', ''
FROM (
    SELECT storage_unit_id, sensor_id, recorded_at, nullif(temperature_c, 'NaN') AS temperature_c,
        min(scale) AS scale, max(quality_score) AS quality_score, min(equipment_status_id) AS equipment_status_id,
        count(*) AS seen_count
    FROM unnest(%(unit_ids)s, %(sensor_ids)s, %(instants)s::timestamptz[], %(temperatures_c)s::float8[],
        %(scales)s::text[], %(quality_scores)s::float8[], %(status_ids)s::smallint[])
        AS row (storage_unit_id, sensor_id, recorded_at, temperature_c, scale, quality_score, equipment_status_id)
    GROUP BY 1, 2, 3, 4
) AS sent JOIN (
    SELECT storage_unit_id, recorded_at, sensor_id, temperature_c FROM reading
    UNION ALL SELECT storage_unit_id, recorded_at, sensor_id, temperature_c FROM future_reading
) AS stored USING (storage_unit_id, recorded_at, sensor_id)
ORDER BY storage_unit_id, recorded_at, sensor_id
ON CONFLICT (storage_unit_id, recorded_at, sensor_id, temperature_c) DO UPDATE SET
    seen_count = kept.seen_count + excluded.seen_count, last_seen_at = excluded.last_seen_at,
    {taken_over_if_undone(*_OF_UNDONE)}
"""  # noqa: S608  constants only


def save(delivery: Delivery, batch: ReadingBatch, indexes: Sequence[int]) -> None:
    """Save the rows of `batch` at `indexes`. A repeated row is counted and keeps its state."""
    rows = np.array(indexes)
    # A conflict of an undone import waits again: a change of state, of which a customer may require a reason.
    with stating_reason("Received again after its import was undone."), connection.cursor() as cursor:
        cursor.execute(
            SAVE,
            {
                "delivery_id": delivery.pk,
                "now": timezone.now(),
                "unit_ids": batch.storage_unit_id[rows].tolist(),
                "sensor_ids": batch.sensor_id[rows].tolist(),
                "instants": instants_of(batch.recorded_at_us[rows]),
                "temperatures_c": batch.temperature_c[rows].tolist(),
                "scales": [scale.decode() for scale in batch.scale[rows].tolist()],
                "quality_scores": batch.quality_score[rows].tolist(),
                "status_ids": batch.equipment_status_id[rows].tolist(),
            },
        )


@transaction.atomic
def accept(conflicts: QuerySet[Conflict], *, by: str) -> int:
    """Replace stored readings by the waiting ones of these conflicts; return the number accepted.

    Updates roll-ups, the latest reading and excursions. The conflict keeps the replaced temperature.
    """
    accepted = 0
    for conflict in _waiting(conflicts):
        conflict.stored_temperature_c = replace_measurement(
            conflict.storage_unit,
            conflict.sensor_id,
            conflict.recorded_at,
            measurement_of(conflict),
            by=by,
            reason=f"Conflict {conflict.public_id} accepted.",
        )
        if not future_readings.exists(conflict.storage_unit_id, conflict.sensor_id, conflict.recorded_at):
            evaluate({conflict.storage_unit_id: NewSpan(conflict.recorded_at, conflict.recorded_at)})
        _decide(conflict, Conflict.State.ACCEPTED, by)
        accepted += 1
    return accepted


@transaction.atomic
def dismiss(conflicts: QuerySet[Conflict], *, by: str) -> int:
    """Keep the stored readings; return the number of waiting conflicts dismissed."""
    dismissed = 0
    for conflict in _waiting(conflicts):
        _decide(conflict, Conflict.State.DISMISSED, by)
        dismissed += 1
    return dismissed


def _waiting(conflicts: QuerySet[Conflict]) -> QuerySet[Conflict]:
    """Return the waiting conflicts, locked after their units: the order in which loading locks."""
    waiting = conflicts.filter(state=Conflict.State.WAITING)
    lock_units(sorted(set(waiting.order_by().values_list("storage_unit_id", flat=True))))
    return (
        waiting.select_related("storage_unit")
        .order_by("storage_unit_id", "recorded_at", "sensor_id", "pk")
        .select_for_update(of=("self",))
    )


def _decide(conflict: Conflict, state: str, by: str) -> None:
    conflict.state = state
    conflict.decided_at = timezone.now()
    conflict.decided_by = by
    conflict.save(update_fields=["state", "decided_at", "decided_by", "stored_temperature_c"])
    logger.info("conflict decided", conflict=str(conflict.public_id), state=state, by=by)
