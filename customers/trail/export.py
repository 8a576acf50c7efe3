"""The audit trail as CSV: every column of the entries, in bounded memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from django.db.models import QuerySet

from audit.models import AuditEntry
from core.api.renderers import csv_cell

CHUNK_ROWS = 1_000
COLUMNS = tuple(field.attname for field in AuditEntry._meta.concrete_fields)


def csv_lines(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    """Yield a header and a line for each entry, newest first, one piece for each chunk.

    Chunks are read by id, so that the export holds no transaction open while a slow client reads it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    below: int | None = None
    while True:
        rows = list(_below(entries, below).order_by("-id").values_list(*COLUMNS)[:CHUNK_ROWS])
        writer.writerows([_cell(value) for value in row] for row in rows)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
        if len(rows) < CHUNK_ROWS:
            return
        below = rows[-1][COLUMNS.index("id")]


def _below(entries: QuerySet[AuditEntry], entry_id: int | None) -> QuerySet[AuditEntry]:
    return entries if entry_id is None else entries.filter(id__lt=entry_id)


def _cell(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return csv_cell(value)
