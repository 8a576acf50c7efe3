"""Undo an import: withdraw exactly the readings that it stored, on record, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation.withdrawn import evaluate_withdrawn
from audit.context import stating_reason
from core.leases import Claim
from customers.models import StorageUnit
from ingestion.imports.storing import import_leases, release, store_files
from ingestion.loading import conflicts, replay
from ingestion.models import Conflict, FileImport, ImportFile, RejectedRow
from readings.models import FutureReading, Reading
from readings.storage.revisions import withdraw
from readings.storage.rollups import rebuild
from readings.storage.store import NewSpan, StoredSpan, lock_units

logger = structlog.get_logger(__name__)


def undo(file_import: FileImport, *, by: str, reason: str) -> bool:
    """Have a stored import undone in the background; return False if it is in another state."""
    stored = FileImport.objects.filter(pk=file_import.pk, state=FileImport.State.STORED)
    now = timezone.now()
    return bool(
        stored.update(state=FileImport.State.UNDOING, undone_by=by, undone_at=now, undo_reason=reason, due_at=now)
    )


def run_claimed(claim: Claim) -> None:
    """Store or undo the files of a claimed import, whichever is due. Raise ClaimLost."""
    import_leases.renew(claim)
    state = FileImport.objects.values_list("state", flat=True).get(pk=claim.row_id)
    (undo_files if state == FileImport.State.UNDOING else store_files)(claim)


def undo_files(claim: Claim) -> None:
    """Undo the stored files of a claimed import. Raise ClaimLost if another worker has taken over."""
    stored = ImportFile.objects.filter(file_import=claim.row_id, state=ImportFile.State.STORED)
    for file_id in list(stored.order_by("-pk").values_list("pk", flat=True)):
        import_leases.renew(claim)
        file = ImportFile.objects.select_related("file_import", "delivery").get(pk=file_id)
        with stating_reason(file.file_import.undo_reason), transaction.atomic():
            _undo_file(file)
            with import_leases.hold(claim):
                file.state = ImportFile.State.UNDONE
                file.save(update_fields=["state"])
    with import_leases.hold(claim) as file_import:
        release(file_import, FileImport.State.UNDONE)


def _undo_file(file: ImportFile) -> None:
    by, reason = file.file_import.undone_by, file.file_import.undo_reason
    spans = [
        StoredSpan(datetime.fromisoformat(at), unit_id, *map(datetime.fromisoformat, ends))
        for at, unit_id, *ends in file.spans
    ]
    units = StorageUnit.objects.filter(pk__in={span.unit_id for span in spans}).select_related("facility")
    by_id = {unit.pk: unit for unit in units}
    lock_units(sorted(by_id))
    withdrawn = sum(
        _undo_unit(unit, [span for span in spans if span.unit_id == unit_id], by=by, reason=reason)
        for unit_id, unit in sorted(by_id.items())
    )
    replay.dismiss(RejectedRow.objects.filter(delivery=file.delivery), by=by)
    conflicts.dismiss(Conflict.objects.filter(delivery=file.delivery), by=by)
    logger.info("import undone", file=str(file.public_id), withdrawn=withdrawn, by=by)


def _undo_unit(unit: StorageUnit, spans: Iterable[StoredSpan], *, by: str, reason: str) -> int:
    """Withdraw what was stored in these spans, and bring statistics, excursions and alarms of the unit up to date."""
    withdrawn = 0
    reached: list[datetime] = []
    for span in spans:
        stored = {"storage_unit": unit, "recorded_at__range": (span.first, span.last), "created_at": span.stored_at}
        FutureReading.objects.filter(**stored).delete()
        keys = list(Reading.objects.filter(**stored).values_list("sensor_id", "recorded_at"))
        if count := withdraw(unit, keys, by=by, reason=reason):
            withdrawn += count
            reached += [span.first, span.last]
    if withdrawn:
        rebuild([unit.pk])
        evaluate_withdrawn(unit, NewSpan(min(reached), max(reached)))
    return withdrawn
