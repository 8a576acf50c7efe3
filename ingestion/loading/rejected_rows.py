"""Save rejected rows, each once, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import connection

from core.crypto.encryption import SecretUnreadable
from customers.models import CODE_MAX_LENGTH
from ingestion.loading.undone_rows import taken_over_if_undone
from ingestion.models import Delivery
from ingestion.parsing.results import RejectedReading
from ingestion.sources.credentials import Credentials, mask_secret

ROWS_PER_STATEMENT = 5_000
# A row whose import was undone waits again, as a row of the delivery that brings it again.
_OF_UNDONE = ("state", "delivery_id", "row_number", "reason", "message", "decided_at", "decided_by")
SAVE = f"""
INSERT INTO rejected_row AS kept (public_id, customer_id, source_id, delivery_id, row_number, reason, message, raw,
    header, default_unit_code, fingerprint, received_at, seen_count, last_seen_at, state, decided_by)
SELECT gen_random_uuid(), %(customer_id)s, %(source_id)s, %(delivery_id)s, row_number, reason, message, raw,
    %(header)s, %(default_unit_code)s, fingerprint, %(received_at)s, seen_count, %(received_at)s, 'waiting', ''
FROM unnest(%(row_numbers)s::int[], %(reasons)s::text[], %(messages)s::text[], %(raws)s::text[],
    %(fingerprints)s::bytea[], %(seen_counts)s::int[])
    AS row (row_number, reason, message, raw, fingerprint, seen_count)
ORDER BY fingerprint
ON CONFLICT (customer_id, fingerprint) DO UPDATE SET
    seen_count = kept.seen_count + excluded.seen_count, last_seen_at = excluded.last_seen_at,
    {taken_over_if_undone(*_OF_UNDONE)}
"""  # noqa: S608  constants only


def save(
    delivery: Delivery,
    rejected: Sequence[RejectedReading],
    header: str,
    default_unit_code: str,
    received_at: datetime,
) -> None:
    """Save rejected rows of `delivery`. A repeated row is counted and keeps its state.

    `received_at` is when they were received, which is the time of rows without one if they are replayed.
    """
    credentials = _credentials(delivery)
    for start in range(0, len(rejected), ROWS_PER_STATEMENT):
        part = [_masked(row, credentials) for row in rejected[start : start + ROWS_PER_STATEMENT]]
        _save(delivery, part, header, default_unit_code, received_at)


def _credentials(delivery: Delivery) -> Credentials:
    """Return the credentials that were sent to the source, which its rows may repeat."""
    try:
        return delivery.source.credentials if delivery.source else Credentials()
    except SecretUnreadable:
        return Credentials()  # nothing was sent, as nothing could be


def _masked(row: RejectedReading, credentials: Credentials) -> RejectedReading:
    if not credentials.secret:
        return row
    return replace(row, raw=mask_secret(row.raw, credentials), message=mask_secret(row.message, credentials))


def fingerprint(source_id: int | None, header: str, default_unit_code: str, raw: str) -> bytes:
    """Return a hash of the sender, the row and everything else its parsing depends on."""
    parts = "\x1f".join((str(source_id), header, default_unit_code, raw))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).digest()


def _save(
    delivery: Delivery,
    rejected: Sequence[RejectedReading],
    header: str,
    default_unit_code: str,
    received_at: datetime,
) -> None:
    once: dict[bytes, tuple[RejectedReading, int]] = {}
    for row in rejected:
        key = fingerprint(delivery.source_id, header, default_unit_code, row.raw)
        first, count = once.get(key, (row, 0))
        once[key] = first, count + 1
    rows = [row for row, _ in once.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            SAVE,
            {
                "customer_id": delivery.customer_id,
                "source_id": delivery.source_id,
                "delivery_id": delivery.pk,
                "header": _storable(header),
                "default_unit_code": _storable_code(default_unit_code),
                "received_at": received_at,
                "row_numbers": [row.row_number for row in rows],
                "reasons": [row.reason.value for row in rows],
                "messages": [_storable(row.message) for row in rows],
                "raws": [_storable(row.raw) for row in rows],
                "fingerprints": list(once),
                "seen_counts": [count for _, count in once.values()],
            },
        )


def _storable_code(code: str) -> str:
    """Return a unit's code, "" if it is none: the sender may have named anything, and a replay must name no other."""
    storable = _storable(code)
    return storable if len(storable) <= CODE_MAX_LENGTH else ""


def _storable(text: str) -> str:
    """Escape NUL and lone surrogates, which PostgreSQL's text type can't hold."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
