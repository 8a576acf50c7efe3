"""Parsing: whatever a customer's system sent, as batches of readings in one shape."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import IO

from ingestion.parsing.body import DEFAULT_MAX_BYTES, OpenedBody
from ingestion.parsing.csv_body import CsvTask, parse_csv
from ingestion.parsing.csv_header import RowHeader
from ingestion.parsing.json_body import SINGLE_OBJECT, JsonTask, parse_json
from ingestion.parsing.rejection_reasons import Reason, sentence
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnreadableBody, empty_readings
from ingestion.sources.mapping import FieldMapping

BATCH_ROWS = 50_000
_SNIFFED_BYTES = 4096
_MARKUP = re.compile(rb"<(?:!doctype|html|head|body|!--|\?xml|title|script|div|h1|p\b)", re.IGNORECASE)
_LINES_TYPES = ("ndjson", "jsonl", "json-seq", "jsonlines")
_PACKED_ENDINGS = (".gz", ".gzip")


def parse_body(
    body: IO[bytes],
    mapping: FieldMapping,
    *,
    content_type: str = "",
    file_name: str = "",
    received_at: datetime,
    is_cut_off: bool = False,
    default_unit: str = "",
    batch_rows: int = BATCH_ROWS,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Iterator[ParsedBatch]:
    """The batches of a delivered body, at least one, of at most `batch_rows` readings each.

    What the body is, JSON or CSV, is told by its content type or file name, else by its first character; gzip is
    undone. `received_at` (aware) is when it came. `is_cut_off`: the transport saw the body end too early.
    `default_unit` is the unit of rows in a body that names none; an uploaded CSV file falls back to its name.
    Raises UnreadableBody: for JSON before the first batch, for CSV perhaps later, and then the delivery as a whole is
    to be undone.
    """
    opened = OpenedBody(body, encoding=mapping.encoding, max_bytes=max_bytes, is_cut_off=is_cut_off)
    first = opened.open().peek(_SNIFFED_BYTES).lstrip()
    if _MARKUP.match(first):
        raise UnreadableBody(Reason.HTML_INSTEAD_OF_DATA, sentence(Reason.HTML_INSTEAD_OF_DATA))
    name = _unpacked_name(file_name)
    if _is_json(content_type.lower(), name, first):
        is_lines = any(kind in f"{content_type.lower()} {name.suffix.lower()}" for kind in _LINES_TYPES)
        yield from parse_json(
            opened,
            JsonTask(
                mapping=mapping,
                received_at=received_at,
                default_unit=default_unit,
                batch_rows=batch_rows,
                max_bytes=max_bytes,
                is_lines=is_lines,
            ),
        )
        return
    yield from parse_csv(
        opened,
        CsvTask(
            mapping=mapping,
            received_at=received_at,
            default_unit=default_unit or name.stem.strip(),
            batch_rows=batch_rows,
        ),
    )


def parse_rejected_row(
    raw: str,
    header: str,
    mapping: FieldMapping,
    *,
    received_at: datetime,
    row_number: int,
    default_unit: str,
) -> ParsedBatch:
    """One kept row parsed again: `raw` and `header` as RejectedReading and ParsedBatch.row_header gave them.

    The batch holds one reading or one rejection, numbered `row_number`; a row that cannot even be read is a
    rejection as well, never an UnreadableBody. `received_at` is when the row first came.
    """
    kept = RowHeader.from_text(header)
    unit = default_unit or kept.unit
    is_json = kept.line in ("", SINGLE_OBJECT)
    text = raw if is_json else f"{kept.line}\n{raw}"
    body = OpenedBody(io.BytesIO(text.encode()), encoding="utf-8", max_bytes=DEFAULT_MAX_BYTES, is_cut_off=False)
    if is_json:
        json_task = JsonTask(
            mapping=replace(mapping, readings_path=""),
            received_at=received_at,
            default_unit=unit,
            is_lines=kept.line != SINGLE_OBJECT,
            first_row=row_number,
            day_order=kept.day_order,
        )
        batches = parse_json(body, json_task)
    else:
        csv_task = CsvTask(
            mapping=replace(mapping, skip_until_header=False),
            received_at=received_at,
            default_unit=unit,
            first_row=row_number,
            day_order=kept.day_order,
        )
        batches = parse_csv(body, csv_task)
    try:
        return _only(list(batches), raw, header, row_number)
    except UnreadableBody as error:
        return _refused(row_number, error.reason, error.message, raw, header)


def _only(batches: list[ParsedBatch], raw: str, header: str, row_number: int) -> ParsedBatch:
    filled = [batch for batch in batches if len(batch.readings) or batch.rejected]
    if len(filled) == 1 and len(filled[0].readings) + len(filled[0].rejected) == 1:
        return filled[0]
    return _refused(row_number, Reason.CUT_OFF, sentence(Reason.CUT_OFF), raw, header)


def _refused(row_number: int, reason: Reason, message: str, raw: str, header: str) -> ParsedBatch:
    rejection = RejectedReading(row_number, reason, message, raw)
    return ParsedBatch(readings=empty_readings(), rejected=[rejection], raw_row=lambda _: raw, row_header=header)


def _unpacked_name(file_name: str) -> PurePath:
    """A file's name without folders and without the ending of its packing."""
    name = PurePath(file_name.replace("\\", "/")).name
    for ending in _PACKED_ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return PurePath(name)


def _is_json(content_type: str, name: PurePath, first: bytes) -> bool:
    if "json" in content_type or "csv" in content_type:
        return "json" in content_type
    if name.suffix.lower() in (".json", ".ndjson", ".jsonl", ".csv"):
        return name.suffix.lower() != ".csv"
    return first[:1] in (b"{", b"[")
