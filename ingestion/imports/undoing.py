"""Undo an import: withdraw exactly the readings that it stored, on record, and what follows from them.

A unit is undone in one transaction, with its statistics and excursions, so that they are exact at any moment. An undo
that is interrupted is repeated: units that are undone already have nothing left to withdraw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from alarms.evaluation.withdrawn import evaluate_withdrawn
from audit.context import stating_reason
from core.db import clock
from core.leases import Claim
from customers.models import StorageUnit
from ingestion.imports.storing import MAX_ATTEMPTS, import_leases, release, store_files
from ingestion.loading import undone_rows
from ingestion.models import Conflict, FileImport, ImportFile
from readings.storage.revisions import withdraw
from readings.storage.rollups import rebuild
from readings.storage.store import NewSpan, StoredSpan, lock_units

logger = structlog.get_logger(__name__)

# No file is begun after this. The last one has the rest of the task's time, which is less than RabbitMQ waits for it.
RUN_TIME = timedelta(minutes=5)


def undo(file_import: FileImport, *, by: str, reason: str) -> bool:
    """Have a stored import undone in the background; return False if it is in another state."""
    stored = FileImport.objects.filter(pk=file_import.pk, state=FileImport.State.STORED)
    now = clock.database_now()
    with transaction.atomic():
        if not stored.update(
            state=FileImport.State.UNDOING, undone_by=by, undone_at=now, undo_reason=reason, due_at=now
        ):
            return False
        files = ImportFile.objects.filter(file_import=file_import, state=ImportFile.State.STORED)
        files.update(read_bytes=0, attempt_count=0, error_message="")
    return True


def run_claimed(claim: Claim) -> None:
    """Store or undo the files of a claimed import, whichever is due, as far as RUN_TIME suffices. Raise ClaimLost."""
    deadline = clock.database_now() + RUN_TIME
    with import_leases.work(claim):
        state = FileImport.objects.values_list("state", flat=True).get(pk=claim.row_id)
        (undo_files if state == FileImport.State.UNDOING else store_files)(claim, deadline)


def undo_files(claim: Claim, deadline: datetime) -> None:
    """Undo the stored files of a claimed import. Raise ClaimLost if another worker has taken over.

    No file is begun after the deadline: the next worker that claims the import undoes the others.
    """
    stored = ImportFile.objects.filter(file_import=claim.row_id, state=ImportFile.State.STORED)
    for file_id in list(stored.order_by("-pk").values_list("pk", flat=True)):
        if clock.database_now() > deadline:
            import_leases.release([claim])
            return
        file = ImportFile.objects.select_related("file_import", "delivery").defer("content").get(pk=file_id)
        if not _begin(claim, file):
            return
        with stating_reason(file.file_import.undo_reason):
            _undo_file(claim, file)
    with import_leases.hold(claim) as file_import:
        release(file_import, FileImport.State.UNDONE)


def _begin(claim: Claim, file: ImportFile) -> bool:
    """Count an attempt to undo a file; give up, and return False, after too many that ended their worker."""
    with import_leases.hold(claim) as file_import:
        file.attempt_count += 1
        is_given_up = file.attempt_count > MAX_ATTEMPTS
        if is_given_up:
            file.error_message = f"Undoing it was interrupted {MAX_ATTEMPTS} times. Undo it again to continue."
            release(file_import, FileImport.State.STORED)
            logger.error("import not undone", file=str(file.public_id), message=file.error_message)
        file.save(update_fields=["attempt_count", "error_message"])
    return not is_given_up


def _undo_file(claim: Claim, file: ImportFile) -> None:
    by_unit: dict[int, list[StoredSpan]] = defaultdict(list)
    for span in file.stored_spans:
        by_unit[span.unit_id].append(span)
    withdrawn = 0
    for number, unit_id in enumerate(sorted(by_unit), 1):
        with transaction.atomic():
            withdrawn += _undo_unit(file, unit_id, by_unit[unit_id])
            with import_leases.hold(claim):
                file.read_bytes = file.size_bytes * number // len(by_unit)
                file.save(update_fields=["read_bytes"])
    with transaction.atomic():
        _undo_rows_for_review(file)
        with import_leases.hold(claim):
            file.state = ImportFile.State.UNDONE
            file.save(update_fields=["state"])
    logger.info("import undone", file=str(file.public_id), withdrawn=withdrawn, by=file.file_import.undone_by)


def _undo_unit(file: ImportFile, unit_id: int, spans: Sequence[StoredSpan]) -> int:
    """Withdraw what was stored of a unit in these spans; bring its statistics, excursions and alarms up to date."""
    by, reason = file.file_import.undone_by, file.file_import.undo_reason
    unit = StorageUnit.objects.select_related("facility").get(pk=unit_id)
    whole = NewSpan(min(span.first for span in spans), max(span.last for span in spans))
    withdrawn = withdraw(unit, spans, by=by, reason=reason)
    if withdrawn:
        rebuild([unit_id])
        undone_rows.store_contradicting(unit, file.delivery, whole, by=by)
        evaluate_withdrawn(unit, whole)
        undone_rows.look_back_for(unit, whole.first)
    return withdrawn


def _undo_rows_for_review(file: ImportFile) -> None:
    """Decide about the rejected rows and the conflicts of a file, and forget the bodies that its rows were in."""
    if (delivery := file.delivery) is None:
        return
    by, reason = file.file_import.undone_by, file.file_import.undo_reason
    conflicts = Conflict.objects.filter(delivery=delivery)
    lock_units(sorted(set(conflicts.order_by().values_list("storage_unit_id", flat=True))))
    undone_rows.undo_conflicts(conflicts, by=by, reason=reason)
    undone_rows.undo_rejected_rows(delivery, by=by)
    undone_rows.expect_bodies_again(delivery)
