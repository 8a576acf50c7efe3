"""Bringing an archived month back into the table."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from django.db import transaction
from django.db.models import F

from audit.events import record_event
from audit.models import AuditEntry
from core.db.clock import database_now
from readings.archive_models import ArchivedMonth, ArchiveFile, RecalledUnit
from readings.storage.archive import files
from readings.storage.archive.rows import ArrivedBatch, fill
from readings.storage.archive.state import CannotArchive, MonthState, live_files, lock_table, recalled_units
from readings.storage.partitions import ensure_partitions

KEPT_FOR = timedelta(days=7)


@transaction.atomic
def restore_month(month: date, kept_for: timedelta = KEPT_FOR) -> int:
    """Return the readings of an archived month to the table, for this time at least; return how many are copied.

    All of them or none. Raise CannotArchive for a month that is not archived, ArchiveUnavailable for a file that cannot
    be read.
    """
    lock_table("ROW EXCLUSIVE")
    # Two restorations of a month wait for each other, and units that are being recalled for both.
    stored = ArchivedMonth.objects.select_for_update().filter(month=month.replace(day=1), is_archived=True).first()
    if stored is None:
        raise CannotArchive(f"{month:%Y-%m} is not archived.")
    state = MonthState(stored.month, stored.version, stored.is_archived)
    ensure_partitions([state.start])
    recalled = recalled_units(state.month)
    count = 0
    for file in live_files(state.month):
        rows = files.read(file, None, state.start, state.last)
        rows = rows.filter(~pl.col("storage_unit_id").is_in(recalled))
        fill(ArrivedBatch.of(rows))
        count += len(rows)
    now = database_now()
    ArchiveFile.objects.filter(month=stored, replaced_at=None).update(replaced_at=now)
    RecalledUnit.objects.filter(month=stored).delete()
    ArchivedMonth.objects.filter(month=state.month).update(
        is_archived=False, version=F("version") + 1, changed_at=now, restored_until=now + kept_for
    )
    record_event(
        AuditEntry.Action.RESTORED,
        model="readings.reading",
        label=f"readings of {state.month:%Y-%m}",
        object_id=f"{state.month:%Y-%m}",
        details={"month": f"{state.month:%Y-%m}", "reading_count": count},
    )
    return count
