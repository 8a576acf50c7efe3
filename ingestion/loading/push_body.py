"""Parse the body of a bulk push: a JSON array, NDJSON or CSV, optionally gzipped.

A push refers to storage units by their public ids, which take the place of unit codes here. The values of a row follow
the same rules as in every delivery (`ingestion.parsing.values.row`); rows of the expected types are converted as
columns.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TypeAlias

import msgspec
import polars as pl

from core.api.parsers import repeated_name
from ingestion.loading.push_fields import FIELDS_BY_NAME, fields_of
from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.compression import GZIP_MAGIC
from ingestion.parsing.body.decoded import DecodedBody, read_blocks
from ingestion.parsing.json.walker import InvalidJson, JsonItem, JsonWalker
from ingestion.parsing.limits import ROW_LIMITS, exceeded
from ingestion.parsing.parse import BodyFormat, declared_format, parse_body
from ingestion.parsing.rejection_reasons import Reason, message_for, quoted
from ingestion.parsing.reset_clocks import ResetClocks, compared_as_a_whole
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import RowConverter, converted_frame
from ingestion.parsing.values.rules import RowRejected, RowRules
from ingestion.sources.mapping import FieldMapping

# A larger push must be split: all of its readings are in memory, and it is stored in one transaction.
MAX_ROWS = 100_000
_BATCH_ROWS = 20_000
_CHUNK_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 20
# Of a part of an array whose rows are found at once. Rows that contain hardly anything are taken one by one.
_MAX_BLOCK_COMMAS = 400_000
_MAPPING = FieldMapping(unit_field="storage_unit_id", time_field="recorded_at", temperature_field="temperature")
RULES = RowRules(default_scale="C")
_TEXTS = ("storage_unit_id", "recorded_at", "temperature_unit", "sensor_id", "equipment_status")
_NUMBERS = ("temperature", "quality_score")


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of the expected types."""

    storage_unit_id: str
    recorded_at: str
    temperature: float | None
    temperature_unit: str | None = None
    sensor_id: str | None = None
    quality_score: float | None = None
    equipment_status: str | None = None


# The text of a row.
_RowText: TypeAlias = str | bytes | msgspec.Raw
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_row_decoder = msgspec.json.Decoder(_Row)
_QUOTED_NAMES = tuple(f'"{name}"'.encode() for name in FIELDS_BY_NAME)


@dataclass(frozen=True, slots=True)
class PushedBody:
    """The body of a push and what its headers declare about it."""

    data: bytes
    content_type: str
    is_declared_gzip: bool
    max_bytes: int
    accepts_old_readings: bool = False

    def batches(self, received_at: datetime) -> list[ParsedBatch]:
        """Return the rows in batches whose `unit_code` is the unit's public id. Raise UnreadableBody.

        A truncated body is rejected as a whole, because the sender can repeat it.
        """
        body = DecodedBody(io.BytesIO(self.data), encoding="", max_bytes=self.max_bytes, is_cut_off=False)
        first = self._first_character(body)
        self._refuse_damaged_gzip(body)
        match declared_format(self.content_type) or _format_of(first):
            case BodyFormat.JSON:
                return list(_parsed(lambda: _rows_of_array(body, first), self._mapping, received_at))
            case BodyFormat.JSON_LINES:
                return list(_parsed(lambda: _rows_of_lines(body), self._mapping, received_at))
        return _csv(self.data, self._mapping, received_at, self.max_bytes)

    @property
    def _mapping(self) -> FieldMapping:
        return replace(_MAPPING, accepts_old_readings=self.accepts_old_readings)

    def _first_character(self, body: DecodedBody) -> bytes:
        if self.is_declared_gzip and not self.data.startswith(GZIP_MAGIC):
            raise UnreadableBody(Reason.UNDECODABLE, "The body is declared as gzip, but is not gzip data.")
        stream = body.open()
        while chunk := stream.read(_CHUNK_BYTES):
            if text := chunk.lstrip(b"\0 \t\r\n"):
                return text[:1]
        raise UnreadableBody(Reason.NO_READINGS_LIST, "The body is empty.")

    def _refuse_damaged_gzip(self, body: DecodedBody) -> None:
        """Decompress a body to its end once, keeping nothing of it."""
        if self.data.startswith(GZIP_MAGIC):
            stream = body.open()
            while stream.read(_CHUNK_BYTES):
                pass
        if body.is_cut_off:
            raise UnreadableBody(Reason.UNDECODABLE, "The gzip data of the body is truncated.")


def _format_of(first: bytes) -> BodyFormat:
    return {b"[": BodyFormat.JSON, b"{": BodyFormat.JSON_LINES}.get(first, BodyFormat.CSV)


def batch_of_row(row: dict[str, object], received_at: datetime) -> ParsedBatch:
    """Return the batch of a converted row: one reading, or a rejection if its time is invalid."""
    return BatchBuilder(_MAPPING, received_at, RULES).build(converted_frame([row]), [], lambda _: "")


def _rows_of_array(body: DecodedBody, first: bytes) -> Iterator[_RowText]:
    if first != b"[":
        raise _not_an_array("it begins with another character than a bracket")
    walker = JsonWalker(body.open(), path="", list_names=(), is_row=lambda _: False, decode_block=_texts_of_rows)
    try:
        for row in walker.rows():
            if isinstance(row, JsonItem):
                yield row.raw
            else:
                yield from row.rows
    except InvalidJson as error:
        raise _not_an_array(str(error)) from error


def _texts_of_rows(block: str) -> list[msgspec.Raw] | None:
    """Return the texts of rows that are separated by commas, None if they have to be found one by one."""
    if block.count(",") > _MAX_BLOCK_COMMAS:
        return None
    try:
        return _rows_decoder.decode(f"[{block}]")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _not_an_array(why: str) -> UnreadableBody:
    return UnreadableBody(Reason.INVALID_JSON, f"The body is not a JSON array of readings: {why}.")


def _rows_of_lines(body: DecodedBody) -> Iterator[_RowText]:
    for block in read_blocks(body.open(), _BLOCK_BYTES, MAX_ROWS):
        yield from block.removesuffix(b"\n").split(b"\n")


def _refuse_too_many(count: int) -> None:
    if count > MAX_ROWS:
        raise exceeded(f"it has more than {MAX_ROWS:,} rows")


def _parsed(
    rows: Callable[[], Iterator[_RowText]], mapping: FieldMapping, received_at: datetime
) -> Iterator[ParsedBatch]:
    def parse(clocks: ResetClocks) -> Iterator[ParsedBatch]:
        builder = BatchBuilder(mapping, received_at, RULES, clocks=clocks)
        return with_final_batch(_batches(rows(), builder), lambda: builder.finish(is_cut_off=False))

    return compared_as_a_whole(parse, received_at)


def _batches(rows: Iterator[_RowText], builder: BatchBuilder) -> Iterator[ParsedBatch]:
    numbered = ((number, row) for number, row in enumerate(rows, 1) if not isinstance(row, bytes) or row.strip())
    count = 0
    while part := list(islice(numbered, _BATCH_ROWS)):
        count += len(part)
        _refuse_too_many(count)
        yield _batch(part, builder)


def _batch(numbered: Sequence[tuple[int, _RowText]], builder: BatchBuilder) -> ParsedBatch:
    texts = dict(numbered)
    converted, rejected = _converted(numbered)
    return builder.build(converted, rejected, lambda number: _bytes_of(texts[number]).decode("utf-8", "replace"))


def _converted(numbered: Sequence[tuple[int, _RowText]]) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Convert rows as columns if their types are the expected ones, else one by one."""
    numbers: list[int] = []
    rows: list[_Row] = []
    exact = RowConverter(RULES, _no_text)
    for number, text in numbered:
        if _may_repeat_a_name(_bytes_of(text)):
            _convert_exactly(number, text, exact)
            continue
        try:
            rows.append(_row_decoder.decode(text))
            numbers.append(number)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            _convert_exactly(number, text, exact)
    converted, rejected = convert_rows(_columns(numbers, rows), RULES, _no_text)
    if exact.rows:
        converted = pl.concat([converted, exact.frame()]).sort("row_number")
    return converted, exact.rejected + rejected


def _no_text(_: int) -> str:
    """Return "": rejected rows of a push are not saved, the sender has their text."""
    return ""


def _bytes_of(text: _RowText) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)


def _may_repeat_a_name(text: bytes) -> bool:
    """Return whether a name may occur twice in a row; an escape could hide it."""
    return b"\\" in text or any(text.count(name) > 1 for name in _QUOTED_NAMES)


def _convert_exactly(number: int, text: _RowText, converter: RowConverter) -> None:
    """Convert a row of other types by the rules for single rows, which also give the reason for a rejection."""
    data = _bytes_of(text)
    if len(data) > ROW_LIMITS.characters or data.count(b",") + data.count(b"[") > ROW_LIMITS.values:
        raise exceeded(f"row {number:,} is too large for a reading")
    try:
        row = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        converter.reject(number, Reason.INVALID_JSON, "The row is not valid JSON.")
        return
    if not isinstance(row, dict):
        converter.reject(number, Reason.NOT_AN_OBJECT, message_for(Reason.NOT_AN_OBJECT, value=row))
        return
    if (name := repeated_name(data)) is not None:
        raise UnreadableBody(
            Reason.INVALID_JSON, f"The body is not valid: {quoted(name)} occurs twice in row {number}."
        )
    try:
        fields = fields_of(row)
    except RowRejected as rejection:
        converter.reject(number, rejection.reason, str(rejection))
    else:
        converter.add(number, fields)


def _columns(numbers: list[int], rows: list[_Row]) -> pl.DataFrame:
    values = {name: [getattr(row, name) for row in rows] for name in FIELDS_BY_NAME}
    raw_fields = [pl.Series("row_number", numbers, dtype=pl.Int64)]
    raw_fields += [pl.Series(FIELDS_BY_NAME[name], values[name], dtype=pl.String).fill_null("") for name in _TEXTS]
    raw_fields += [pl.Series(FIELDS_BY_NAME[name], values[name], dtype=pl.Float64) for name in _NUMBERS]
    return pl.DataFrame(raw_fields)


def _csv(data: bytes, mapping: FieldMapping, received_at: datetime, max_bytes: int) -> list[ParsedBatch]:
    batches: list[ParsedBatch] = []
    count = 0
    for batch in parse_body(
        io.BytesIO(data),
        mapping,
        content_type="text/csv",
        received_at=received_at,
        batch_rows=_BATCH_ROWS,
        max_bytes=max_bytes,
        max_rows=MAX_ROWS,
    ):
        count += len(batch.readings) + len(batch.rejected)
        _refuse_too_many(count)
        batches.append(batch)
    return batches
