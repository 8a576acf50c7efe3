"""Up to where the trail and the readings are complete, found without making any writer wait.

Ids of entries and instants of arrival are given before a transaction commits, so what is committed at one moment has
gaps that may still be filled. A checkpoint notes the last id given and the time, and then the next transaction id; once
every transaction before that one has ended, nothing up to the noted id and time can be added any more.
"""

from __future__ import annotations

from django.db import connection

from seals.models import SettledCheckpoint
from seals.transactions import sealing_step

LAST_ENTRY = """
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('audit_entry', 'id')), 0), statement_timestamp()
"""
TRANSACTIONS = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""


def advance_checkpoint() -> SettledCheckpoint:
    """Settle the pending checkpoint if its transactions have ended, and begin another one. Return what is settled.

    A restored database counts its transactions from elsewhere: a checkpoint that waits for one that this server has not
    reached is begun again. Raise AlreadyRunning.
    """
    with sealing_step(sees_commits=True):
        return _advance()


def _advance() -> SettledCheckpoint:
    checkpoint, _ = SettledCheckpoint.objects.get_or_create(pk=1)
    # In two statements: the transaction id must be read after the last id of an entry.
    with connection.cursor() as cursor:
        cursor.execute(LAST_ENTRY)
        last_entry_id, now = cursor.fetchone()
        cursor.execute(TRANSACTIONS)
        oldest_running, next_transaction = cursor.fetchone()
    if checkpoint.pending_at is not None:
        if checkpoint.pending_transaction_id <= oldest_running:
            checkpoint.settled_at, checkpoint.settled_entry_id = checkpoint.pending_at, checkpoint.pending_entry_id
            checkpoint.pending_at = None
        elif checkpoint.pending_transaction_id > next_transaction:
            checkpoint.pending_at = None
    if checkpoint.pending_at is None:
        checkpoint.pending_at = now
        checkpoint.pending_entry_id, checkpoint.pending_transaction_id = last_entry_id, next_transaction
    checkpoint.save()
    return checkpoint
