"""Parse what a customer's system sent, in any supported format, into batches of readings with one schema."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from pathlib import PurePath
from typing import IO

import polars as pl

from ingestion.parsing.body.archives import MAX_ARCHIVE_BYTES, table_in
from ingestion.parsing.body.decoded import DEFAULT_MAX_BYTES, DecodedBody, declared_encoding, seems_ebcdic
from ingestion.parsing.body.identify import identify
from ingestion.parsing.csv.body import parse_csv, row_mapping
from ingestion.parsing.fields.zones import BODY, zone_in
from ingestion.parsing.json.body import SINGLE_OBJECT, parse_json
from ingestion.parsing.limits import LIMITED_BLOCK_BYTES
from ingestion.parsing.notes import Notes
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.reset_clocks import compared_as_a_whole
from ingestion.parsing.results import (
    NOT_REPLAYABLE,
    WHOLE_MESSAGE,
    ParsedBatch,
    RejectedReading,
    RowContext,
    UnreadableBody,
    empty_readings,
)
from ingestion.parsing.values.rules import DEFAULT_BATCH_ROWS, DEFAULT_BLOCK_BYTES, CustomerTest, ParseOptions
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import Scale

_SNIFFED_BYTES = 4096
# In content types and file name suffixes.
_JSON_LINES_NAMES = ("ndjson", "jsonl", "json-seq")
_GZIP_SUFFIXES = (".gz", ".gzip")


class BodyFormat(Enum):
    """The format of a body."""

    JSON = auto()
    JSON_LINES = auto()
    CSV = auto()


@dataclass(frozen=True, slots=True)
class OpenedBody:
    """A decoded body with its format, and the name of its file without the suffix."""

    body: DecodedBody
    format: BodyFormat
    stem: str
    notes: tuple[str, ...] = ()


def declared_format(content_type: str, suffix: str = "") -> BodyFormat | None:
    """Return the format declared by a content type or else a file name suffix, None if neither declares one."""
    declared, suffix = content_type.lower(), suffix.lower()
    if "json" not in declared and "csv" not in declared:
        if suffix not in (".json", ".ndjson", ".jsonl", ".csv"):
            return None
        declared = suffix
    return _json_format(f"{declared} {suffix}") if "json" in declared else BodyFormat.CSV


def parse_body(
    body: IO[bytes],
    mapping: FieldMapping,
    *,
    content_type: str = "",
    file_name: str = "",
    received_at: datetime,
    is_cut_off: bool = False,
    default_unit: str = "",
    batch_rows: int = DEFAULT_BATCH_ROWS,
    max_bytes: int = DEFAULT_MAX_BYTES,
    max_rows: int | None = None,
    is_other_customer: CustomerTest | None = None,
) -> Iterator[ParsedBatch]:
    """Yield the batches of a delivered body, at least one, of at most `batch_rows` readings each.

    The content type, else the file name, else the first character decides between JSON and CSV; gzip is decompressed.
    `received_at` is aware. `is_cut_off`: the transport received less than was announced. `default_unit` is the unit
    of rows in a body without a unit field; an uploaded CSV file falls back to its name. `is_other_customer`: see
    RowRules. Raise UnreadableBody, possibly after some batches: the whole delivery must be rolled back then.
    """
    opened = open_body(
        body, mapping, content_type=content_type, file_name=file_name, is_cut_off=is_cut_off, max_bytes=max_bytes
    )
    options = ParseOptions(
        mapping=mapping,
        received_at=received_at,
        default_unit=default_unit,
        batch_rows=batch_rows,
        max_bytes=max_bytes,
        max_rows=max_rows,
        block_bytes=DEFAULT_BLOCK_BYTES if max_rows is None else LIMITED_BLOCK_BYTES,
        is_other_customer=is_other_customer,
        is_unit_named=bool(default_unit),
    )
    yield from compared_as_a_whole(
        lambda clocks: _parse_opened(opened, replace(options, clocks=clocks, notes=Notes())), received_at
    )


def _parse_opened(opened: OpenedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    for note in opened.notes:
        options.notes.tell(note)
    if opened.format is BodyFormat.CSV:
        return parse_csv(opened.body, replace(options, default_unit=options.default_unit or opened.stem))
    is_json_lines = opened.format is BodyFormat.JSON_LINES
    return parse_json(opened.body, replace(options, is_json_lines=is_json_lines, file_unit=opened.stem))


def open_body(
    body: IO[bytes],
    mapping: FieldMapping,
    *,
    content_type: str = "",
    file_name: str = "",
    is_cut_off: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> OpenedBody:
    """Open a delivered body, or the table in an archive, and find out its format. Raise UnreadableBody."""
    encoding = mapping.encoding or declared_encoding(content_type)
    opened = DecodedBody(body, encoding=encoding, max_bytes=max_bytes, is_cut_off=is_cut_off)
    name = _uncompressed_name(file_name)
    notes: tuple[str, ...] = ()
    container = identify(opened.decompressed_start(_SNIFFED_BYTES))
    if container is not None:
        member, table, notes = table_in(container, opened.decompressed_file(min(max_bytes, MAX_ARCHIVE_BYTES)))
        opened = DecodedBody(table, encoding=encoding, max_bytes=max_bytes, is_cut_off=False)
        name, content_type = PurePath(name.stem + PurePath(member or ".csv").suffix), ""
    elif not encoding and seems_ebcdic(opened.decompressed_start(_SNIFFED_BYTES)):
        raise UnreadableBody(Reason.UNDECODABLE, why="it seems to be EBCDIC, such as cp037 or cp500")
    start = opened.open().peek(_SNIFFED_BYTES).lstrip()
    body_format = declared_format(content_type, name.suffix) or _detected_format(start, name.suffix)
    return OpenedBody(opened, body_format, name.stem.strip(), notes)


def parse_rejected_row(
    raw: str,
    context: str,
    mapping: FieldMapping,
    *,
    received_at: datetime,
    row_number: int,
    default_unit: str,
    is_other_customer: CustomerTest | None = None,
) -> ParsedBatch:
    """Parse a rejected row again, from RejectedReading.raw and ParsedBatch.row_context.

    The batch holds the row's readings or rejections, numbered `row_number`; an unreadable row is a rejection too,
    never an UnreadableBody. `received_at` is when the row was first received.
    """
    row_context = RowContext.from_text(context)
    if row_context.is_lossy:
        return _rejection(row_number, Reason.NOT_TEXT, NOT_REPLAYABLE, raw, context)
    unit = default_unit or row_context.unit
    if row_context.line == WHOLE_MESSAGE:
        message = parse_body(
            io.BytesIO(raw.encode()),
            replace(mapping, encoding="utf-8"),
            received_at=received_at,
            default_unit=unit,
            is_other_customer=is_other_customer,
        )
        again = _message_again(message, row_number, raw, context)
    else:
        options = ParseOptions(
            mapping=row_mapping(mapping, row_context),
            received_at=received_at,
            default_unit=unit,
            is_json_lines=row_context.line != SINGLE_OBJECT,
            first_row=row_number,
            day_order=row_context.day_order,
            is_other_customer=is_other_customer,
            is_unit_named=bool(unit),
            scale=Scale(row_context.scale) if row_context.scale else None,
            zone=zone_in(row_context.zone, BODY),
            decimal_marks=row_context.marks,
            shown=row_context.shown,
            measured=row_context.measured,
        )
        again = _row_again(raw, row_context.line, context, options, row_number)
    if row_context.waited and (again.readings["recorded_at"] == received_at).any():
        return _rejection(row_number, Reason.NO_TIME, message_for(Reason.NO_TIME), raw, context)
    return again


def _row_again(raw: str, line: str, context: str, options: ParseOptions, row_number: int) -> ParsedBatch:
    """Return the batch of a single row below the `line` of its context."""
    is_json = line in ("", SINGLE_OBJECT)
    text = raw if is_json else f"{line}\n{raw}"
    body = DecodedBody(io.BytesIO(text.encode()), encoding="utf-8", max_bytes=DEFAULT_MAX_BYTES, is_cut_off=False)
    try:
        batches = list(parse_json(body, options) if is_json else parse_csv(body, options))
    except UnreadableBody as error:
        return _rejection(row_number, error.reason, error.message, raw, context)
    nonempty = [batch for batch in batches if len(batch.readings) or batch.rejected]
    numbers = [number for batch in nonempty for number in batch.row_numbers]
    if len(nonempty) == 1 and set(numbers) == {row_number}:
        return nonempty[0]
    return _rejection(row_number, Reason.CUT_OFF, message_for(Reason.CUT_OFF), raw, context)


def _message_again(message: Iterator[ParsedBatch], row_number: int, raw: str, context: str) -> ParsedBatch:
    """Return all readings of a message as those of one row, with the first reason why not all of it can be stored."""
    try:
        batches = list(message)
    except UnreadableBody as error:
        return _rejection(row_number, error.reason, error.message, raw, context)
    readings = pl.concat([batch.readings for batch in batches])
    rejected = [(each.reason, each.message) for batch in batches for each in batch.rejected]
    if batches[-1].is_cut_off:
        rejected.append((Reason.CUT_OFF, message_for(Reason.CUT_OFF)))
    if readings.is_empty() and not rejected:
        rejected.append((Reason.NO_READINGS_LIST, message_for(Reason.NO_READINGS_LIST, why="")))
    return ParsedBatch(
        readings=readings.with_columns(row_number=pl.lit(row_number, pl.Int64)),
        rejected=[RejectedReading(row_number, reason, why, raw) for reason, why in rejected[:1]],
        units={key: described for batch in batches for key, described in batch.units.items()},
        raw_row=lambda _: raw,
        row_context=context,
    )


def _rejection(row_number: int, reason: Reason, message: str, raw: str, context: str) -> ParsedBatch:
    rejection = RejectedReading(row_number, reason, message, raw)
    return ParsedBatch(readings=empty_readings(), rejected=[rejection], raw_row=lambda _: raw, row_context=context)


def unit_of_file(file_name: str) -> str:
    """Return the unit of the rows of a file that name none."""
    return _uncompressed_name(file_name).stem.strip()


def _uncompressed_name(file_name: str) -> PurePath:
    """Return a file's name without folders and without the suffix of its compression."""
    name = PurePath(file_name.replace("\\", "/")).name
    for suffix in _GZIP_SUFFIXES:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return PurePath(name)


def _detected_format(start: bytes, suffix: str) -> BodyFormat:
    return _json_format(suffix.lower()) if start[:1] in (b"{", b"[") else BodyFormat.CSV


def _json_format(declared: str) -> BodyFormat:
    return BodyFormat.JSON_LINES if any(name in declared for name in _JSON_LINES_NAMES) else BodyFormat.JSON
