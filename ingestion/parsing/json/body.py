"""Parse JSON: an envelope with a list, a bare list, JSON Lines, or a single object that is a reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TypeAlias

import msgspec
import polars as pl

from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.fields.json_fields import FieldExtractor
from ingestion.parsing.fields.zones import BODY, without_zone_note
from ingestion.parsing.json.around import unread_around, unread_lists_note, unread_note
from ingestion.parsing.json.fast_path import decode_default_layout
from ingestion.parsing.json.scan import ScanResult, accept_if_cut_off, item_of, scan_body, walker_of
from ingestion.parsing.json.walker import InvalidJson, JsonBlock, JsonItem, JsonWalker
from ingestion.parsing.limits import check_row_count
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RejectedReading, RowContext, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import RowConverter
from ingestion.parsing.values.rules import ParseOptions, RowRejected, RowRules, RowSkipped
from ingestion.parsing.values.timestamps import has_day_order

# The RowContext line of a body that is a single object: unlike the rows of a list, it may lack a time.
SINGLE_OBJECT = "{}"
# Of rows that are converted one by one, which take more memory than columns.
_MAX_PART_ROWS = 20_000
_MAX_PART_CHARACTERS = 4 << 20
# Blocks hold what the text is read in at once, some thousand rows; storing a batch costs hardly less for fewer rows.
_JOINED_ROWS = 15_000

_Walker: TypeAlias = JsonWalker[pl.DataFrame]
_Row: TypeAlias = JsonItem | JsonBlock[pl.DataFrame]


def parse_json(body: DecodedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """Yield the batches of a JSON body. Raise UnreadableBody, possibly after some batches."""
    walker = walker_of(body, options, decode_default_layout)
    rows, scan = _default_layout(walker, options), ScanResult()
    if rows is None:
        scan = scan_body(body, options)
        walker = walker_of(body, options, decode_default_layout)
        rows = scan.shaped_rows() if scan.shaped_rows else _within(scan.around, walker.items())
        if not scan.has_unit and not options.default_unit:
            options = replace(options, default_unit=options.file_unit)
    order, zone = options.day_order or scan.day_order, scan.zone or options.zone
    scale = scan.scale or (options.scale.value if options.scale else "")
    rules = options.row_rules(order, title_scale=scale, is_time_optional=scan.is_single, given_zone=zone)
    rules = replace(rules, title_scale="")
    line = SINGLE_OBJECT if scan.is_single else ""
    zone_name = zone.name if zone and zone.why == BODY else ""
    fields = FieldExtractor(
        options.mapping,
        scan.sample,
        has_default_unit=options.is_unit_named,
        noted=scan.noted,
        shown=options.shown,
        measured=options.measured,
    )
    if scan.is_single and not options.mapping.time_field:
        fields.note_unread_times()
    shown = fields.shown_by_sample(has_default_unit=bool(options.default_unit))
    row_context = RowContext(
        line=line,
        unit=options.default_unit,
        day_order=order,
        scale=scale,
        zone=zone_name,
        unit_title=shown.get("unit", ""),
        sensor_title=shown.get("sensor", ""),
        measured=fields.measured_by_values,
    ).to_text()
    builder = BatchBuilder(options.mapping, options.received_at, rules, row_context, zone, clocks=options.clocks)
    parser = _RowParser(body, options, builder, rules, scan, fields)
    yield from with_final_batch(
        parser.batches(walker, rows),
        lambda: builder.finish(
            is_cut_off=body.is_cut_off, rejected=parser.incomplete, scales=parser.fields.scales(scale)
        ),
    )


def _within(around: Mapping[str, object], items: Iterator[JsonItem]) -> Iterator[_Row]:
    """Return rows with the members around them that name their facility, unit or sensor, as their text shows."""
    if not around:
        return items
    return (item_of({**around, **item.value}) if isinstance(item.value, dict) else item for item in items)


def _default_layout(walker: _Walker, options: ParseOptions) -> Iterator[_Row] | None:
    """Return the rows of a body that begins in the default layout and needs no scan, None for any other."""
    if not options.mapping.is_default or options.is_json_lines:
        return None
    rows = walker.rows()
    with suppress(InvalidJson, UnreadableBody):  # found again by the scan
        first = next(rows, None)
        if isinstance(first, JsonBlock) and not has_day_order(first.rows["time"][0]):
            return chain([first], rows)
    return None


class _RowParser:
    """Convert the rows of a body: blocks in the default layout as columns, other rows one by one, in bounded parts.

    `incomplete` holds the rejection of the row in which the body ends, if it ends in one. `fields` extracts their
    fields.
    """

    def __init__(
        self,
        body: DecodedBody,
        options: ParseOptions,
        builder: BatchBuilder,
        rules: RowRules,
        scan: ScanResult,
        fields: FieldExtractor,
    ) -> None:
        self.incomplete: list[RejectedReading] = []
        self._incomplete_row = ""
        self._body = body
        self._options = options
        self._builder = builder
        self._rules = rules
        self.fields = fields
        self._has_local_times = False
        self._zone = scan.zone or options.zone
        self._is_scanned = bool(scan.sample)
        self._number = 1 if options.first_row is None else options.first_row
        self._count = 0

    def batches(self, walker: _Walker, rows: Iterator[_Row]) -> Iterator[ParsedBatch]:
        """Yield the batches. Raise UnreadableBody."""
        part = _Part(self._rules)
        for row in _joined(self._complete(walker, rows), min(self._options.batch_rows, _JOINED_ROWS)):
            if isinstance(row, _JoinedBlocks):
                if part.count:
                    yield self._built(part)
                    part = _Part(self._rules)
                yield from self._block_batches(row)
                continue
            self._count_rows(1)
            part.add(self._number, row, self.fields)
            self._number += 1
            if part.count >= min(self._options.batch_rows, _MAX_PART_ROWS) or part.characters >= _MAX_PART_CHARACTERS:
                yield self._built(part)
                part = _Part(self._rules)
        if part.count:
            yield self._built(part)
        if (raw := self._incomplete_row).strip():
            self.incomplete = [RejectedReading(self._number, Reason.CUT_OFF, message_for(Reason.CUT_OFF), raw)]
        self._tell_notes(walker)

    def _built(self, part: _Part) -> ParsedBatch:
        converted = part.converter.frame()
        self._has_local_times |= bool(converted["is_local"].any())
        return self._builder.build(converted, part.converter.rejected, part.texts.__getitem__)

    def _tell_notes(self, walker: _Walker) -> None:
        notes = self.fields.notes
        if self.fields.zone_key and self._has_local_times:
            notes.append(without_zone_note(self.fields.zone_key, self._zone))
        if self.fields.local_note and self._has_local_times and not self._zone:
            notes.append(self.fields.local_note)
        if not self._is_scanned and (unread := unread_around(walker.members)):
            notes.append(unread_note(unread))
        if note := unread_lists_note(walker.members):
            notes.append(note)
        for note in notes:
            self._rules.notes.tell(note)

    def _complete(self, walker: _Walker, rows: Iterator[_Row]) -> Iterator[_Row]:
        """Yield the rows up to the one in which the body is cut off."""
        try:
            yield from rows
        except InvalidJson as error:
            accept_if_cut_off(error, walker, self._body)
            self._incomplete_row = walker.incomplete_row
        self._body.is_cut_off |= walker.ends_within_character

    def _block_batches(self, blocks: _JoinedBlocks) -> Iterator[ParsedBatch]:
        self._count_rows(len(blocks.rows))
        first_number = self._number
        self._number += len(blocks.rows)
        texts = _BlockTexts(blocks.texts, first_number)
        numbers = pl.int_range(first_number, self._number, eager=True).alias("row_number")
        converted, rejected = convert_rows(blocks.rows.insert_column(0, numbers), self._rules, texts.text)
        size = self._options.batch_rows
        for start in range(0, max(len(converted), 1), size):
            yield self._builder.build(converted.slice(start, size), [] if start else rejected, texts.text)

    def _count_rows(self, count: int) -> None:
        self._count += count
        check_row_count(self._count, self._options.max_rows)


@dataclass(frozen=True, slots=True)
class _JoinedBlocks:
    """Blocks of the same fields that follow each other: their rows, and the text of each."""

    rows: pl.DataFrame
    texts: list[str]


def _joined(rows: Iterator[_Row], size: int) -> Iterator[JsonItem | _JoinedBlocks]:
    """Join blocks of the same fields that follow each other, until they have this many rows."""
    waiting: list[JsonBlock[pl.DataFrame]] = []
    for row in rows:
        if waiting and not (isinstance(row, JsonBlock) and row.rows.columns == waiting[0].rows.columns):
            yield _as_one(waiting)
            waiting = []
        if not isinstance(row, JsonBlock):
            yield row
            continue
        waiting.append(row)
        if sum(len(block.rows) for block in waiting) >= size:
            yield _as_one(waiting)
            waiting = []
    if waiting:
        yield _as_one(waiting)


def _as_one(blocks: list[JsonBlock[pl.DataFrame]]) -> _JoinedBlocks:
    return _JoinedBlocks(pl.concat([block.rows for block in blocks]), [block.raw for block in blocks])


@dataclass(slots=True)
class _Part:
    """Rows that are converted one by one, and their texts."""

    rules: RowRules
    texts: dict[int, str] = field(default_factory=dict)
    characters: int = 0
    converter: RowConverter = field(init=False)

    def __post_init__(self) -> None:
        self.converter = RowConverter(self.rules, self.texts.__getitem__)

    @property
    def count(self) -> int:
        return len(self.texts)

    def add(self, number: int, item: JsonItem, fields: FieldExtractor) -> None:
        self.texts[number] = item.raw
        self.characters += len(item.raw)
        if isinstance(item.value, dict):
            self._add_readings(number, item.value, fields)
        else:
            self.converter.reject(number, Reason.NOT_AN_OBJECT, message_for(Reason.NOT_AN_OBJECT, value=item.value))

    def _add_readings(self, number: int, row: dict[str, object], fields: FieldExtractor) -> None:
        try:
            for reading in fields.readings(row, self.rules):
                self.converter.add(number, reading.fields, reading.rules)
        except RowRejected as rejection:
            self.converter.reject(number, rejection.reason, str(rejection))
        except RowSkipped as skipped:
            self.rules.notes.count(*skipped.note)


class _BlockTexts:
    """Find the text of a row in blocks that were decoded without the positions of their rows, when needed."""

    def __init__(self, texts: list[str], first_number: int) -> None:
        self._texts = texts
        self._first_number = first_number

    @cached_property
    def _rows(self) -> list[msgspec.Raw]:
        return msgspec.json.decode(f"[{','.join(self._texts)}]", type=list[msgspec.Raw])

    def text(self, number: int) -> str:
        return bytes(self._rows[number - self._first_number]).decode()
