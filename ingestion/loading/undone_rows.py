"""What an undone import leaves to decide, and to be sent again: its rejected rows, its conflicts, and known bodies.

Rows that only the import brought are marked as undone and wait again once they are received again. What contradicted a
withdrawn reading takes its place. A body whose rows were duplicates of withdrawn readings is no longer known, and
polls look back for them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from alarms.evaluation.evaluate import evaluate
from core.db import clock
from customers.models import StorageUnit
from ingestion.models import Conflict, Delivery, RejectedRow
from readings.models import Reading, ReadingRevision
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.revisions import NewMeasurement, replace_measurement
from readings.storage.store import NewSpan, store

# A body that was received while the import was being stored may have been compared with its rows.
_CONCURRENT = timedelta(hours=1)
_EXPECT_AGAIN = """
WITH forgotten AS (
    UPDATE delivery SET content_hash = '' FROM (
        SELECT id, content_hash FROM delivery
        WHERE customer_id = %(customer_id)s AND started_at >= %(since)s AND content_hash <> '' AND records_duplicate > 0
        FOR NO KEY UPDATE
    ) AS known
    WHERE delivery.id = known.id RETURNING source_id, known.content_hash
), files AS (
    UPDATE source_file SET state = 'seen', retry_at = NULL FROM forgotten
    WHERE source_file.source_id = forgotten.source_id AND source_file.content_hash = forgotten.content_hash
)
UPDATE source SET validated_request = '', etag = '', last_modified = ''
WHERE customer_id = %(customer_id)s AND validated_request <> ''
"""
_LOOK_BACK = """
UPDATE source_unit SET complete_until = %(first)s, looked_at = NULL
WHERE storage_unit_id = %(unit_id)s AND complete_until > %(first)s
"""


def taken_over_if_undone(*columns: str) -> str:
    """Return assignments of ON CONFLICT that give a row whose import was undone the values of the row received now."""
    return ", ".join(
        f"{column} = CASE WHEN kept.state = 'undone' THEN excluded.{column} ELSE kept.{column} END"
        for column in columns
    )


def undo_rejected_rows(delivery: Delivery, *, by: str) -> None:
    """Decide about the rejected rows of an undone delivery; those that were received again since wait for it."""
    rows = RejectedRow.objects.filter(
        delivery=delivery, state__in=[RejectedRow.State.WAITING, RejectedRow.State.REPLAYED]
    )
    received_again = rows.filter(last_seen_at__gt=delivery.ended_at)
    received_again.filter(state=RejectedRow.State.REPLAYED).update(
        state=RejectedRow.State.WAITING, decided_at=None, decided_by=""
    )
    rows.exclude(last_seen_at__gt=delivery.ended_at).update(
        state=RejectedRow.State.UNDONE, decided_at=clock.database_now(), decided_by=by
    )


def undo_conflicts(conflicts: QuerySet[Conflict], *, by: str, reason: str) -> None:
    """Return readings that accepted ones of these conflicts replaced to what they were, and mark all as undone.

    The units of the conflicts are locked. A reading that was revised again, or withdrawn, stays as it is.
    """
    for conflict in conflicts.filter(state=Conflict.State.ACCEPTED).select_related("storage_unit"):
        _return_measurement(conflict, by=by, reason=reason)
    conflicts.filter(state__in=[Conflict.State.WAITING, Conflict.State.ACCEPTED]).update(
        state=Conflict.State.UNDONE, decided_at=clock.database_now(), decided_by=by
    )


def _return_measurement(conflict: Conflict, *, by: str, reason: str) -> None:
    key = {
        "storage_unit": conflict.storage_unit, "sensor": conflict.sensor_id, "recorded_at": conflict.recorded_at
    }  # fmt: skip
    revision = ReadingRevision.objects.filter(**key).order_by("-pk").first()
    is_last = revision is not None and str(conflict.public_id) in revision.reason
    if revision is None or not is_last or not Reading.objects.filter(**key).exists():
        return
    before = NewMeasurement(
        revision.before_temperature_c,
        revision.before_scale,
        revision.before_quality_score,
        revision.before_equipment_status_id,
    )
    replace_measurement(conflict.storage_unit, conflict.sensor_id, conflict.recorded_at, before, by=by, reason=reason)
    evaluate({conflict.storage_unit_id: NewSpan(conflict.recorded_at, conflict.recorded_at)})


def store_contradicting(unit: StorageUnit, delivery: Delivery | None, span: NewSpan, *, by: str) -> None:
    """Store what others sent of `unit` in `span` that contradicted readings of `delivery`, which are withdrawn.

    Of several conflicts about one reading the accepted or else the first one is stored; the others remain. The caller
    evaluates the span.
    """
    conflicts = Conflict.objects.filter(
        storage_unit=unit,
        recorded_at__range=(span.first, span.last),
        state__in=[Conflict.State.WAITING, Conflict.State.ACCEPTED],
    ).exclude(delivery=delivery)
    first: dict[tuple[int, datetime], Conflict] = {}
    for conflict in conflicts.order_by("state", "received_at", "pk"):
        first.setdefault((conflict.sensor_id, conflict.recorded_at), conflict)
    stored = Reading.objects.filter(storage_unit=unit, recorded_at__in=[at for _, at in first])
    for key in stored.values_list("sensor_id", "recorded_at"):
        first.pop(key, None)
    if not first:
        return
    store(ReadingBatch.of_rows(_row(conflict) for conflict in first.values()))
    Conflict.objects.filter(pk__in=[each.pk for each in first.values()], state=Conflict.State.WAITING).update(
        state=Conflict.State.ACCEPTED, decided_at=clock.database_now(), decided_by=by
    )


def _row(conflict: Conflict) -> ReadingRow:
    return ReadingRow(
        conflict.storage_unit_id,
        conflict.sensor_id,
        conflict.recorded_at,
        conflict.temperature_c,
        conflict.scale,
        conflict.quality_score,
        conflict.equipment_status_id,
    )


def look_back_for(unit: StorageUnit, first: datetime) -> None:
    """Have polls of the unit's sources look back to what is no longer stored from `first` on. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_BACK, {"unit_id": unit.pk, "first": first})


def expect_bodies_again(delivery: Delivery) -> None:
    """Forget the bodies that held duplicates since a delivery that is undone, so that they are loaded if sent again.

    What is stored nevertheless is a duplicate again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXPECT_AGAIN, {"customer_id": delivery.customer_id, "since": delivery.started_at - _CONCURRENT})
