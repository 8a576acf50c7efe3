"""Delete deliveries and decided rejected rows whose retention is over.

Waiting rows are never deleted: their readings are stored nowhere else. Nor are the deliveries that they, conflicts and
imports refer to. A decided row is kept while it is still received: it would wait for the same decision again. The
counts of deleted deliveries are kept, so that the totals in `/metrics` never decrease.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection

from audit.context import stating_reason
from audit.events import record_event
from audit.models import AuditEntry
from core.db.retention import DeleteBatch, purge

_DELETE_DELIVERIES = """
WITH old AS (
    SELECT id FROM delivery WHERE started_at < %(before)s
        AND NOT EXISTS (SELECT FROM rejected_row WHERE delivery_id = delivery.id)
        AND NOT EXISTS (SELECT FROM reading_conflict WHERE delivery_id = delivery.id)
        AND NOT EXISTS (SELECT FROM import_file WHERE delivery_id = delivery.id)
    ORDER BY started_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM delivery USING old WHERE delivery.id = old.id RETURNING delivery.*
), kept AS (
    INSERT INTO deleted_deliveries AS total (ingestion_type, status, deliveries, stored, duplicate, conflicting,
        rejected, store_seconds)
    SELECT ingestion_type, status, count(*), sum(records_stored), sum(records_duplicate), sum(records_conflicting),
        sum(records_rejected), sum(store_seconds)
    FROM gone GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (ingestion_type, status) DO UPDATE SET deliveries = total.deliveries + excluded.deliveries,
        stored = total.stored + excluded.stored, duplicate = total.duplicate + excluded.duplicate,
        conflicting = total.conflicting + excluded.conflicting, rejected = total.rejected + excluded.rejected,
        store_seconds = total.store_seconds + excluded.store_seconds
)
SELECT count(*) FROM gone
"""
_DELETE_REJECTED_ROWS = """
WITH old AS (
    SELECT id FROM rejected_row WHERE state <> 'waiting' AND decided_at < %(before)s AND last_seen_at < %(before)s
    ORDER BY decided_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM rejected_row USING old WHERE rejected_row.id = old.id RETURNING rejected_row.id
)
SELECT count(*) FROM gone
"""


def purge_deliveries() -> int:
    """Delete the deliveries older than DELIVERY_RETENTION_DAYS; return how many."""
    days = settings.DELIVERY_RETENTION_DAYS
    return purge("delivery", days, _deleting(_DELETE_DELIVERIES), _record_deliveries)


def purge_rejected_rows() -> int:
    """Delete the rejected rows decided and received more than REJECTED_ROW_RETENTION_DAYS ago; return how many."""
    days = settings.REJECTED_ROW_RETENTION_DAYS
    with stating_reason(f"Kept for {days} days after the decision and the last receipt."):
        # The trail records each of these rows, like any decision about them.
        return purge("rejected row", days, _deleting(_DELETE_REJECTED_ROWS), lambda count, before: None)


def _deleting(statement: str) -> DeleteBatch:
    def delete_batch(before: datetime, limit: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"before": before, "limit": limit})
            return int(cursor.fetchone()[0])

    return delete_batch


def _record_deliveries(count: int, before: datetime) -> None:
    details = {"deleted": count, "before": before.isoformat()}
    record_event(AuditEntry.Action.DELETED, model="ingestion.delivery", label="old deliveries", details=details)
