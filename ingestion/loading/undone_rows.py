"""What an undone import leaves to decide, and to be sent again: its rejected rows, its conflicts, and known bodies.

Rows that only the import brought are marked as undone and wait again once they are received again. What contradicted a
withdrawn reading takes its place. A body whose rows were duplicates of withdrawn readings is no longer known, and
polls look back for them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q, QuerySet

from alarms.evaluation.evaluate import evaluate
from core.db import clock
from customers.models import StorageUnit
from ingestion.models import Conflict, Delivery, FileImport, ImportFile, RejectedRow
from readings.models import FutureReading, Reading, ReadingRevision
from readings.storage.archive.reading import recall
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.revisions import NewMeasurement, replace_measurement
from readings.storage.store import NewSpan, store

# A body that was received while the import was being stored may have been compared with its rows.
_CONCURRENT = timedelta(hours=1)
_REPLACING = (Conflict.State.WAITING, Conflict.State.ACCEPTED)
# By another delivery than the one that they are assigned to, which may be a replay's.
_RECEIVED_AGAIN = Q(last_seen_at__gt=F("delivery__ended_at")) & Q(last_seen_at__gt=F("received_at"))
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
    """Return readings that accepted ones of these conflicts replaced to what they would be without; mark all as undone.

    Those that were received again since stay as they are. The units of the conflicts are locked.
    """
    undone = conflicts.filter(state__in=_REPLACING).exclude(_RECEIVED_AGAIN)
    accepted = list(undone.filter(state=Conflict.State.ACCEPTED).select_related("storage_unit"))
    undone.update(state=Conflict.State.UNDONE, decided_at=clock.database_now(), decided_by=by)
    for conflict in accepted:
        _return_measurement(conflict.storage_unit, conflict.sensor_id, conflict.recorded_at, by=by, reason=reason)


def _return_measurement(unit: StorageUnit, sensor_id: int, recorded_at: datetime, *, by: str, reason: str) -> None:
    """Give a reading the measurement of the last conflict that is still accepted, or else the one it arrived with.

    A reading that was withdrawn stays so.
    """
    recall([unit.pk], recorded_at, recorded_at)
    key = {"storage_unit": unit, "sensor": sensor_id, "recorded_at": recorded_at}
    reading = Reading.objects.filter(**key).first() or FutureReading.objects.filter(**key).first()
    if reading is None:
        return
    replaced = ReadingRevision.objects.filter(**key, arrived_at=reading.created_at).order_by("pk").first()
    accepted = Conflict.objects.filter(**key, state=Conflict.State.ACCEPTED).order_by("decided_at", "pk").last()
    if accepted is not None:
        right = measurement_of(accepted)
    elif replaced is not None:
        right = NewMeasurement(
            replaced.before_temperature_c,
            replaced.before_scale,
            replaced.before_quality_score,
            replaced.before_equipment_status_id,
        )
    else:
        return
    if right != measurement_of(reading):
        replace_measurement(unit, sensor_id, recorded_at, right, by=by, reason=reason)
        if isinstance(reading, Reading):
            evaluate({unit.pk: NewSpan(recorded_at, recorded_at)})


def measurement_of(row: Conflict | Reading | FutureReading) -> NewMeasurement:
    """Return what a conflict would replace a stored measurement by, or what is stored of a reading."""
    return NewMeasurement(row.temperature_c, row.scale, row.quality_score, row.equipment_status_id)


def store_contradicting(unit: StorageUnit, delivery: Delivery | None, span: NewSpan, *, by: str) -> None:
    """Store what others sent of `unit` in `span` that contradicted readings of `delivery`, which are withdrawn.

    Of several conflicts about one reading the one accepted last or else the first one is stored; the others remain.
    What comes from another import is undone together with it. The caller evaluates the span.
    """
    in_span = Conflict.objects.filter(
        storage_unit=unit, recorded_at__range=(span.first, span.last), state__in=_REPLACING
    ).annotate(is_received_again=_RECEIVED_AGAIN)
    # Accepted ones come first.
    conflicts = list(in_span.order_by("state", "-decided_at", "received_at", "pk"))
    of_deliveries = ImportFile.objects.filter(delivery__in={each.delivery_id for each in conflicts})
    files = {file.delivery_id: file for file in of_deliveries.defer("content", "spans")}
    undone_ids = {delivery and delivery.pk, *(each for each, file in files.items() if not lock_import(file))}
    received_again = {each.pk for each in conflicts if each.is_received_again}
    left = [each for each in conflicts if each.pk in received_again or each.delivery_id not in undone_ids]
    chosen: dict[tuple[int, datetime], Conflict] = {}
    for conflict in left:
        chosen.setdefault((conflict.sensor_id, conflict.recorded_at), conflict)
    for table in (Reading, FutureReading):
        stored = table.objects.filter(storage_unit=unit, recorded_at__in=[at for _, at in chosen])
        for key in stored.values_list("sensor_id", "recorded_at"):
            chosen.pop(key, None)
    by_file: dict[ImportFile | None, list[Conflict]] = defaultdict(list)
    for conflict in chosen.values():
        file = None if conflict.pk in received_again else files.get(conflict.delivery_id)
        by_file[file].append(conflict)
    for file, rows in by_file.items():
        # By itself: the instant at which rows are stored tells them from those of others.
        result = store(ReadingBatch.of_rows(_row(conflict) for conflict in rows), clock.database_now())
        if file is not None:
            file.note_stored(result.spans)
            file.save(update_fields=["spans"])
    Conflict.objects.filter(pk__in=[each.pk for each in chosen.values()], state=Conflict.State.WAITING).update(
        state=Conflict.State.ACCEPTED, decided_at=clock.database_now(), decided_by=by
    )


def lock_import(file: ImportFile) -> bool:
    """Keep a file's import from being undone before the transaction ends; return False if it is being undone, or is.

    What the transaction stores for it has to be noted in `file.spans`, which is up to date.
    """
    undone = (FileImport.State.UNDOING, FileImport.State.UNDONE)
    imports = FileImport.objects.filter(pk=file.file_import_id)
    # Two imports that are being undone must not wait for each other. One that is to be waits for this lock.
    if imports.filter(state__in=undone).exists() or imports.select_for_update(no_key=True).get().state in undone:
        return False
    file.refresh_from_db(fields=["spans"])
    return True


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
