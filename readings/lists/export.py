"""Streaming of readings as CSV and NDJSON: any number of rows, with one chunk in memory at a time."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from django.http import StreamingHttpResponse

from audit.events import record_event
from audit.models import AuditEntry
from core.api.pagination import Cursor
from core.api.renderers import CSVRenderer, NDJSONRenderer, csv_cell, to_json
from readings.lists.queries import Listing, Row
from readings.lists.representation import READING_ROWS, to_representation
from readings.units.unit_refs import UnitRefs

CHUNK_ROWS = 2_000


def stream(
    listing: Listing,
    format_name: str,
    rows: list[Row] | None = None,
    *,
    offset: int = 0,
    cursor: Cursor | None = None,
) -> StreamingHttpResponse:
    """Stream readings in the named format: only `rows`, or all of the listing after the offset or the cursor.

    The first chunk is read before the response starts, so that errors still determine its status. An export of all is
    recorded in the audit trail; a page of a list is not.
    """
    chunks = iter([rows]) if rows is not None else listing.chunks(CHUNK_ROWS, offset=offset, cursor=cursor)
    first = next(chunks, [])
    if rows is None:
        _record_export(listing, format_name)
    all_chunks = chain([first], chunks)
    if format_name == CSVRenderer.format:
        return _response(csv_lines(all_chunks, listing.unit_refs), CSVRenderer.media_type, "readings.csv")
    return _response(ndjson_lines(all_chunks, listing.unit_refs), NDJSONRenderer.media_type, "readings.ndjson")


def _record_export(listing: Listing, format_name: str) -> None:
    units = list(listing.unit_refs.values())
    customer_ids = sorted({unit.customer_id for unit in units})
    details = {name: value for name, value in dataclasses.asdict(listing.wanted).items() if value not in (None, "")}
    record_event(
        AuditEntry.Action.EXPORTED,
        model="readings.reading",
        label="readings",
        customer_id=customer_ids[0] if len(customer_ids) == 1 else None,
        storage_unit_id=units[0].unit_id if len(units) == 1 else None,
        details={"format": format_name, "unit_count": len(units), "customer_ids": customer_ids, **details},
    )


def _response(lines: Iterator[bytes], media_type: str, file_name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    # A proxy that buffered the response would undo the streaming.
    response["X-Accel-Buffering"] = "no"
    return response


def csv_lines(chunks: Iterable[list[Row]], unit_refs: UnitRefs) -> Iterator[bytes]:
    """Yield a header and a line for each reading, one piece for each chunk."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(READING_ROWS.names)
    for chunk in chunks:
        writer.writerows(
            [csv_cell(value) for value in reading.values()] for reading in to_representation(chunk, unit_refs)
        )
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def ndjson_lines(chunks: Iterable[list[Row]], unit_refs: UnitRefs) -> Iterator[bytes]:
    """Yield a JSON object on a line for each reading, one piece for each chunk."""
    for chunk in chunks:
        yield b"".join(to_json(reading) + b"\n" for reading in to_representation(chunk, unit_refs))
