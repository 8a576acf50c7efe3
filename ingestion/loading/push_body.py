"""Parse the body of a bulk push: a JSON array, NDJSON or CSV, optionally gzipped.

A push refers to storage units by their public ids, which take the place of unit codes here. The values of a row follow
the same rules as in every delivery (`ingestion.parsing.values.row`); rows of the expected types are converted as
columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
import polars as pl

from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.compression import GZIP_MAGIC
from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.parse import BodyFormat, declared_format, parse_body
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RawRow, RejectedReading, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import RowConverter, converted_frame
from ingestion.parsing.values.rules import RowRules
from ingestion.sources.mapping import FieldMapping

# A larger push must be split: all of its rows are in memory, and it is stored in one transaction.
MAX_ROWS = 100_000
_BATCH_ROWS = 20_000
_MAPPING = FieldMapping(unit_field="storage_unit_id", time_field="recorded_at", temperature_field="temperature")
RULES = RowRules(default_scale="C")
# The fields of a push by the names that `ingestion.parsing.values.row` uses.
FIELDS_BY_NAME = {
    "storage_unit_id": "unit",
    "recorded_at": "time",
    "temperature": "temperature",
    "temperature_unit": "scale",
    "sensor_id": "sensor",
    "quality_score": "quality",
    "equipment_status": "status",
}
_TEXTS = ("storage_unit_id", "recorded_at", "temperature_unit", "sensor_id", "equipment_status")
_NUMBERS = ("temperature", "quality_score")


class _Row(msgspec.Struct, gc=False):
    """A row of the expected types."""

    storage_unit_id: str
    recorded_at: str
    temperature: float | None
    temperature_unit: str | None = None
    sensor_id: str | None = None
    quality_score: float | None = None
    equipment_status: str | None = None


_RawRow = TypeVar("_RawRow", bytes, msgspec.Raw)
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_row_decoder = msgspec.json.Decoder(_Row)


@dataclass(frozen=True, slots=True)
class PushedBody:
    """The body of a push and what its headers declare about it."""

    data: bytes
    content_type: str
    is_declared_gzip: bool
    max_bytes: int

    def batches(self, received_at: datetime) -> list[ParsedBatch]:
        """Return the rows in batches whose `unit_code` is the unit's public id. Raise UnreadableBody.

        A truncated body is rejected as a whole, because the sender can repeat it.
        """
        data = self._decompressed()
        if not data.strip(b"\0 \t\r\n"):
            raise UnreadableBody(Reason.NO_READINGS_LIST, "The body is empty.")
        match self._format(data):
            case BodyFormat.JSON:
                return list(_parsed(_rows_of_array(data), received_at))
            case BodyFormat.JSON_LINES:
                return list(_parsed(_rows_of_lines(data), received_at))
        return _csv(data, received_at, self.max_bytes)

    def _decompressed(self) -> bytes:
        if self.is_declared_gzip and not self.data.startswith(GZIP_MAGIC):
            raise UnreadableBody(Reason.UNDECODABLE, "The body is declared as gzip, but is not gzip data.")
        opened = DecodedBody(io.BytesIO(self.data), encoding="", max_bytes=self.max_bytes, is_cut_off=False)
        data = opened.read(self.max_bytes)
        if opened.is_cut_off:
            raise UnreadableBody(Reason.UNDECODABLE, "The gzip data of the body is truncated.")
        return data

    def _format(self, data: bytes) -> BodyFormat:
        by_first_byte = {b"[": BodyFormat.JSON, b"{": BodyFormat.JSON_LINES}
        return declared_format(self.content_type) or by_first_byte.get(data.lstrip()[:1], BodyFormat.CSV)


def batch_of_row(row: dict[str, object], received_at: datetime) -> ParsedBatch:
    """Return the batch of a converted row: one reading, or a rejection if its time is invalid."""
    return BatchBuilder(_MAPPING, received_at, RULES).build(converted_frame([row]), [], lambda _: "")


def _rows_of_array(data: bytes) -> list[tuple[int, bytes | msgspec.Raw]]:
    try:
        rows = _rows_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UnreadableBody(Reason.INVALID_JSON, f"The body is not a JSON array of readings: {why}.") from error
    return _counted(enumerate(rows, 1))


def _rows_of_lines(data: bytes) -> list[tuple[int, bytes | msgspec.Raw]]:
    return _counted((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip())


def _counted(rows: Iterable[tuple[int, _RawRow]]) -> list[tuple[int, _RawRow]]:
    counted = list(rows)
    _refuse_too_many(len(counted))
    return counted


def _refuse_too_many(count: int) -> None:
    if count > MAX_ROWS:
        why = f"it has more than {MAX_ROWS:,} rows"
        raise UnreadableBody(Reason.TOO_LARGE, f"The body is too large: {why}; send it in parts.")


def _parsed(numbered: Sequence[tuple[int, bytes | msgspec.Raw]], received_at: datetime) -> Iterable[ParsedBatch]:
    texts = dict(numbered)

    def raw(number: int) -> str:
        return bytes(texts[number]).decode("utf-8", "replace")

    builder = BatchBuilder(_MAPPING, received_at, RULES)
    parts = (numbered[start : start + _BATCH_ROWS] for start in range(0, len(numbered), _BATCH_ROWS))
    batches = (builder.build(*_converted(part, raw), raw) for part in parts)
    return with_final_batch(batches, lambda: builder.finish(is_cut_off=False))


def _converted(
    numbered: Sequence[tuple[int, bytes | msgspec.Raw]], raw_row: RawRow
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Convert rows as columns if their types are the expected ones, else one by one."""
    numbers: list[int] = []
    rows: list[_Row] = []
    exact = RowConverter(RULES, raw_row)
    for number, text in numbered:
        try:
            rows.append(_row_decoder.decode(text))
            numbers.append(number)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            _convert_exactly(number, text, exact)
    converted, rejected = convert_rows(_columns(numbers, rows), RULES, raw_row)
    if exact.rows:
        converted = pl.concat([converted, exact.frame()]).sort("row_number")
    return converted, exact.rejected + rejected


def _convert_exactly(number: int, text: bytes | msgspec.Raw, converter: RowConverter) -> None:
    """Convert a row of other types by the rules for single rows, which also give the reason for a rejection."""
    try:
        row = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        converter.reject(number, Reason.INVALID_JSON, "The row is not valid JSON.")
        return
    if not isinstance(row, dict):
        converter.reject(number, Reason.NOT_AN_OBJECT, message_for(Reason.NOT_AN_OBJECT, value=row))
        return
    converter.add(number, {FIELDS_BY_NAME[name]: value for name, value in row.items() if name in FIELDS_BY_NAME})


def _columns(numbers: list[int], rows: list[_Row]) -> pl.DataFrame:
    values = {name: [getattr(row, name) for row in rows] for name in FIELDS_BY_NAME}
    raw_fields = [pl.Series("row_number", numbers, dtype=pl.Int64)]
    raw_fields += [pl.Series(FIELDS_BY_NAME[name], values[name], dtype=pl.String).fill_null("") for name in _TEXTS]
    raw_fields += [pl.Series(FIELDS_BY_NAME[name], values[name], dtype=pl.Float64) for name in _NUMBERS]
    return pl.DataFrame(raw_fields)


def _csv(data: bytes, received_at: datetime, max_bytes: int) -> list[ParsedBatch]:
    batches: list[ParsedBatch] = []
    count = 0
    for batch in parse_body(
        io.BytesIO(data),
        _MAPPING,
        content_type="text/csv",
        received_at=received_at,
        batch_rows=_BATCH_ROWS,
        max_bytes=max_bytes,
    ):
        count += len(batch.readings) + len(batch.rejected)
        _refuse_too_many(count)
        batches.append(batch)
    return batches
