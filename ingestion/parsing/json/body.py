"""Parse JSON: an envelope with a list, a bare list, JSON Lines, or a single object that is a reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.fields.json_fields import FieldExtractor
from ingestion.parsing.json.fast_path import decode_default_layout
from ingestion.parsing.json.walker import InvalidJson, JsonItem, JsonWalker, decode_text
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RejectedReading, RowContext, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import ParseOptions, RowConverter, RowRules
from ingestion.parsing.values.timestamps import DayOrder, DayOrderDetector, has_day_order

LIST_NAMES = ("readings", "data", "items", "results")
MAX_JSON_BYTES = 64 << 20
# The RowContext line of a body that is a single object: unlike the rows of a list, it may lack a time.
SINGLE_OBJECT = "{}"


def parse_json(body: DecodedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """Yield the batches of a JSON body. Raise UnreadableBody before the first of them."""
    data = body.read(min(options.max_bytes, MAX_JSON_BYTES))
    yield from _parse_default_layout(data, body, options) or _parse_items(data, body, options)


def _parse_default_layout(data: bytes, body: DecodedBody, options: ParseOptions) -> list[ParsedBatch]:
    """Return the batches of a body in the default layout, none if it has another layout."""
    if not options.mapping.is_default or options.is_json_lines or (raw_fields := decode_default_layout(data)) is None:
        return []
    rules = options.row_rules(DayOrder.UNDECIDED)
    texts = _RowTexts(data, options)
    converted, rejected = convert_rows(raw_fields, rules, texts.text)
    if any(
        each.reason is Reason.UNREADABLE_TIME and has_day_order(raw_fields["time"][each.row_number - 1])
        for each in rejected
    ):
        return []  # all times are needed to determine the order of day and month
    builder = BatchBuilder(options.mapping, options.received_at, rules)
    starts = range(0, max(len(converted), 1), options.batch_rows)
    parts = [converted.slice(start, options.batch_rows) for start in starts]
    batches = [builder.build(part, [] if position else rejected, texts.text) for position, part in enumerate(parts)]
    return list(with_final_batch(batches, lambda: builder.finish(is_cut_off=body.is_cut_off)))


class _RowTexts:
    """Find the text of a row in a body that was decoded without the positions of its rows, when needed."""

    def __init__(self, data: bytes, options: ParseOptions) -> None:
        self._data = data
        self._options = options

    @cached_property
    def _rows(self) -> list[str]:
        walker = _walker(decode_text(self._data)[0], self._options)
        return [walker.text[item.start : item.end] for item in walker.items()]

    def text(self, number: int) -> str:
        return self._rows[number - 1]


def _walker(text: str, options: ParseOptions) -> JsonWalker:
    fields = FieldExtractor(options.mapping)
    return JsonWalker(
        text,
        path=options.mapping.readings_path,
        list_names=LIST_NAMES,
        is_row=lambda members: "temperature" in fields.extract(members),
        is_lines=options.is_json_lines,
    )


@dataclass(frozen=True, slots=True)
class _ScanResult:
    """The result of a first pass: whether the body is a single object, the day order, and the text of a cut-off row."""

    is_single: bool
    day_order: DayOrder
    incomplete_row: str


def _scan(text: str, body: DecodedBody, options: ParseOptions) -> _ScanResult:
    """Scan the whole body, so that an invalid one fails before its first batch."""
    walker, fields, detector = _walker(text, options), FieldExtractor(options.mapping), DayOrderDetector()
    incomplete_row = ""
    is_ordered: bool | None = None
    try:
        for item in walker.items():
            time = fields.extract(item.value).get("time") if is_ordered in (None, True) else None
            if isinstance(time, str) and time.strip():
                is_ordered = has_day_order(time) if is_ordered is None else is_ordered
                detector.add(time)
    except InvalidJson as error:
        if not (error.is_cut_off or body.is_cut_off):
            raise UnreadableBody(Reason.INVALID_JSON, why=error) from error
        body.is_cut_off = True
        incomplete_row = "" if walker.item_start is None else text[walker.item_start :]
    return _ScanResult(walker.is_single, detector.order if is_ordered else DayOrder.UNDECIDED, incomplete_row)


def _parse_items(data: bytes, body: DecodedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """Yield the batches of any JSON body, parsed row by row."""
    text, ends_within_character = decode_text(data)
    body.is_cut_off |= ends_within_character
    scan = _scan(text, body, options)
    order = options.day_order or scan.day_order
    rules = options.row_rules(order, is_time_optional=scan.is_single)
    line = SINGLE_OBJECT if scan.is_single else ""
    row_context = RowContext(line=line, unit=options.default_unit, day_order=order).to_text()
    builder = BatchBuilder(options.mapping, options.received_at, rules, row_context)
    first_row = 1 if options.first_row is None else options.first_row
    numbered = enumerate(_complete_items(_walker(text, options)), first_row)
    incomplete, fields = _IncompleteRow(scan.incomplete_row, first_row), FieldExtractor(options.mapping)
    parts = _parts(numbered, options.batch_rows, incomplete)
    batches = (_batch(part, text, fields, builder, rules) for part in parts)
    yield from with_final_batch(
        batches, lambda: builder.finish(is_cut_off=body.is_cut_off, rejected=incomplete.rejected())
    )


def _complete_items(walker: JsonWalker) -> Iterator[JsonItem]:
    with suppress(InvalidJson):  # found by the scan: the body is cut off here
        yield from walker.items()


@dataclass(slots=True)
class _IncompleteRow:
    """The incomplete row at the end of a cut-off body, "" if none; `number` is the one after the last complete row."""

    raw: str
    number: int

    def rejected(self) -> list[RejectedReading]:
        if not self.raw.strip():
            return []
        return [RejectedReading(self.number, Reason.CUT_OFF, message_for(Reason.CUT_OFF), self.raw)]


def _parts(
    numbered: Iterator[tuple[int, JsonItem]], size: int, incomplete: _IncompleteRow
) -> Iterator[dict[int, JsonItem]]:
    while part := dict(islice(numbered, size)):
        incomplete.number = max(part) + 1
        yield part


def _batch(
    part: dict[int, JsonItem], text: str, fields: FieldExtractor, builder: BatchBuilder, rules: RowRules
) -> ParsedBatch:
    spans = {number: (item.start, item.end) for number, item in part.items()}

    def raw_row(number: int) -> str:
        start, end = spans[number]
        return text[start:end]

    converter = RowConverter(rules, raw_row)
    for number, item in part.items():
        if isinstance(item.value, dict):
            converter.add(number, fields.extract(item.value))
        else:
            converter.reject(number, Reason.NOT_AN_OBJECT, message_for(Reason.NOT_AN_OBJECT, value=item.value))
    return builder.build(converter.frame(), converter.rejected, raw_row)
