"""Readings as streams of CSV and NDJSON: no limit of rows, and no more of them in memory than a chunk."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse

from core.api.renderers import CSVRenderer, NDJSONRenderer, to_json
from readings.lists.queries import Listing, Row
from readings.lists.representation import FIELDS, in_form
from readings.units.unit_refs import Places

CHUNK_ROWS = 2_000
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n")


def streamed(listing: Listing, format_name: str, rows: list[Row] | None = None) -> StreamingHttpResponse:
    """The readings as the named format; `rows` gives the ones to write where not all are wanted.

    The first chunk is read before the answer begins, so that what is wrong still shows in its status.
    """
    chunks = iter([rows]) if rows is not None else listing.chunks(CHUNK_ROWS)
    first = next(chunks, [])
    all_chunks = chain([first], chunks)
    if format_name == CSVRenderer.format:
        return _response(csv_lines(all_chunks, listing.places), CSVRenderer.media_type, "readings.csv")
    return _response(ndjson_lines(all_chunks, listing.places), NDJSONRenderer.media_type, "readings.ndjson")


def _response(lines: Iterator[bytes], media_type: str, file_name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    # A proxy that collected the answer first would undo the streaming.
    response["X-Accel-Buffering"] = "no"
    return response


def csv_lines(chunks: Iterable[list[Row]], places: Places) -> Iterator[bytes]:
    """A header and a line for each reading, a piece for each chunk."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for chunk in chunks:
        writer.writerows([cell(value) for value in reading.values()] for reading in in_form(chunk, places))
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def ndjson_lines(chunks: Iterable[list[Row]], places: Places) -> Iterator[bytes]:
    """A JSON object on a line for each reading, a piece for each chunk."""
    for chunk in chunks:
        yield b"".join(to_json(reading) + b"\n" for reading in in_form(chunk, places))


def cell(value: Any) -> Any:
    """A value as a CSV cell: a text that a spreadsheet would run as a formula is marked as text by an apostrophe."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_MARKS) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
