"""Scan a JSON body before its rows are converted: what only the whole of it shows, and whether it has rows at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.fields.json_fields import FieldExtractor, at_path
from ingestion.parsing.fields.names import DEFAULT_NAMES, ROW_LISTS, TIME_NAMES
from ingestion.parsing.fields.scale_reasons import unclear_scale_note
from ingestion.parsing.fields.titles import canonical, scale_of_text, switched_scale
from ingestion.parsing.fields.zones import GivenZone, entries_of, zone_of_entries
from ingestion.parsing.json.around import identity_around, members_around, only_list_note
from ingestion.parsing.json.series import with_time_around
from ingestion.parsing.json.shapes import rows_in
from ingestion.parsing.json.walker import InvalidJson, JsonItem, JsonWalker
from ingestion.parsing.limits import MAX_COLUMNS, MAX_SHAPED_CHARACTERS, ROW_LIMITS, check_row_count, exceeded
from ingestion.parsing.notes import Notes
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.values.rules import ParseOptions
from ingestion.parsing.values.timestamps import DayOrder, DayOrderDetector, has_day_order
from ingestion.sources.mapping import FieldMapping

_SAMPLE_ROWS = 50
# With later rows that show more than the first ones.
_MAX_SAMPLE_ROWS = 100
# Also in ``{"units": {"temperature": "°F"}}``.
_SCALE_KEYS = frozenset({*DEFAULT_NAMES["scale"], *DEFAULT_NAMES["temperature"]})
# Of a number, a truth value or null with the punctuation around it.
_PLAIN_CHARACTERS = 8
_HTTP_FAILURE = re.compile(r"[45]\d\d")
_ERROR_STATES = frozenset({"error", "fail", "failed", "failure", "unauthorized", "unauthorised", "forbidden"})


@dataclass(slots=True)
class ScanResult:
    """The result of a first pass.

    `is_single`: the body is a single object. `has_unit`: a row names its unit. `scale` and `zone` are those of the
    object around the rows, or the zone in the key of their time. `shaped_rows` yields the rows of a body of another
    shape, which are made from it each time. `sample` are some rows. `around` are the members around the rows that
    name their facility, unit or sensor, `noted` the names of those in notes.
    """

    is_single: bool = False
    has_unit: bool = False
    day_order: DayOrder = DayOrder.UNDECIDED
    scale: str = ""
    zone: GivenZone | None = None
    shaped_rows: Callable[[], Iterator[JsonItem]] | None = None
    sample: list[object] = field(default_factory=list)
    around: dict[str, object] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)


def walker_of(
    body: DecodedBody, options: ParseOptions, decode_block: Callable[[str], pl.DataFrame | None] | None = None
) -> JsonWalker[pl.DataFrame]:
    """Return a walker through a body."""
    return JsonWalker(
        body.open(),
        path=options.mapping.readings_path,
        list_names=ROW_LISTS,
        is_row=lambda members: "temperature" in FieldExtractor(options.mapping).extract(members),
        is_lines=options.is_json_lines,
        decode_block=decode_block,
    )


def scan_body(body: DecodedBody, options: ParseOptions) -> ScanResult:
    """Scan the whole body, so that an invalid one fails before its first batch. Raise UnreadableBody."""
    scan = _Scan(options)
    walker = walker_of(body, options)
    try:
        for count, item in enumerate(walker.items(), 1):
            check_row_count(count, options.max_rows)
            scan.add(item.value)
    except InvalidJson as error:
        accept_if_cut_off(error, walker, body)
    except UnreadableBody as error:
        if error.reason is not Reason.NO_READINGS_LIST:
            raise
        return _shaped(body, options, error)
    if scan.count and not scan.has_temperature and (shaped := _shaped(body, options, None)).shaped_rows:
        return shaped
    if not scan.count:
        raise_if_error(walker.members)
    if walker.is_null:
        raise UnreadableBody(Reason.ERROR_IN_RESPONSE, value="null in place of the list")
    if walker.has_commas_between_lines:
        options.notes.tell("The rows are separated by commas, as in a list without its brackets.")
    result = scan.result()
    result.is_single = walker.is_single
    if not walker.is_single:
        result.scale = _scale_around(walker.members, None if scan.has_scale else options.notes)
    result.zone = scan.zone or (zone_of_entries(entries_of(walker.members)) if not walker.is_single else None)
    if not walker.is_single:
        _add_around(walker.members, result, options, has_time=scan.has_time)
    if scan.has_temperature and not (scan.has_scale or result.scale or options.mapping.scale):
        options.notes.assumes_celsius = True
    return result


def _add_around(
    members: Mapping[str, object], result: ScanResult, options: ParseOptions, *, has_time: bool = True
) -> None:
    """Add the members that name the facility, unit or sensor of all rows, and the time of rows without any."""
    around = identity_around(members, options, has_unit=result.has_unit)
    result.around, result.noted = around.members, around.noted
    result.has_unit |= around.has_unit
    for note in around.notes:
        options.notes.tell(note)
    if not has_time:
        result.around |= _time_around(members, options)
    result.sample = [{**result.around, **row} if isinstance(row, dict) else row for row in result.sample]


def _time_around(members: Mapping[str, object], options: ParseOptions) -> dict[str, object]:
    """Return the time around rows without times if the mapping names it; else note it: it may be the response's."""
    path = options.mapping.time_field
    if path:
        _, time = at_path(members, path)
        return {path: time} if isinstance(time, str | int | float) and not isinstance(time, bool) else {}
    if (name := next((key for key in members if canonical(key) in TIME_NAMES), None)) is not None:
        options.notes.tell(
            f"The rows have no times. If {quoted(name)}, around them, is their time and not that of the response, set"
            " the time field to it."
        )
    return {}


class _Scan:
    """Collects what the rows of a body show together."""

    def __init__(self, options: ParseOptions) -> None:
        self.count = 0
        self.has_temperature = False
        self.has_time = False
        self.has_scale = False
        self.has_unit = False
        self._fields = FieldExtractor(options.mapping)
        self._detector = DayOrderDetector()
        self._is_ordered: bool | None = None
        self._sample: list[object] = []
        self._most_sampled = _MAX_SAMPLE_ROWS

    def add(self, row: object) -> None:
        self.count += 1
        if len(self._sample) < self._most_sampled and self._is_sampled(row):
            self._sample.append(row)
        elif self._is_ordered is False and self.has_unit:
            return
        fields = self._fields.extract(row)
        self.has_temperature |= not isinstance(fields.get("temperature", []), list | dict)
        self.has_scale |= "scale" in fields or self._fields.gives_scale(row)
        self.has_unit |= fields.get("unit") not in (None, "")
        time = fields.get("time")
        self.has_time |= time not in (None, "")
        if isinstance(time, str) and time.strip() and self._is_ordered is not False:
            self._is_ordered = has_day_order(time) if self._is_ordered is None else self._is_ordered
            self._detector.add(time)

    def _is_sampled(self, row: object) -> bool:
        shows_more = self._fields.shows_more(row)
        if len(self._sample) < _SAMPLE_ROWS:
            return True
        if not self._fields.leaves_open:
            self._most_sampled = len(self._sample)  # as in most bodies: no later row shows more
        return shows_more

    @property
    def zone(self) -> GivenZone | None:
        return self._fields.zone

    def result(self) -> ScanResult:
        order = self._detector.order if self._is_ordered else DayOrder.UNDECIDED
        return ScanResult(has_unit=self.has_unit, day_order=order, sample=self._sample)


def accept_if_cut_off(error: InvalidJson, walker: JsonWalker[pl.DataFrame], body: DecodedBody) -> None:
    """Mark the body as cut off if that explains the error, else raise UnreadableBody."""
    if not (error.is_cut_off or body.is_cut_off or walker.ends_within_character):
        raise UnreadableBody(Reason.INVALID_JSON, why=error) from error
    body.is_cut_off = True


def raise_if_error(members: Mapping[str, object]) -> None:
    """Raise UnreadableBody (error_in_response) if an object without rows reports an error."""
    by_name = {canonical(key): value for key, value in members.items()}
    reported = next((by_name[name] for name in ("error", "errors", "error_message") if by_name.get(name)), None)
    state = by_name.get("status", by_name.get("state"))
    codes = [str(by_name[name]) for name in ("code", "status", "status_code", "error_code") if name in by_name]
    if reported is None and (failed := next(filter(_HTTP_FAILURE.fullmatch, codes), "")):
        reported = by_name.get("message") or f"the status {failed}"
    is_failed = isinstance(state, str) and state.casefold() in _ERROR_STATES
    is_failed |= any(by_name.get(name) is False for name in ("success", "ok", "succeeded"))
    if reported is None and is_failed:
        reported = by_name.get("message", state if isinstance(state, str) else "it reports no success")
    if reported is not None:
        raise UnreadableBody(Reason.ERROR_IN_RESPONSE, value=reported if isinstance(reported, str) else str(reported))


def _shaped(body: DecodedBody, options: ParseOptions, error: UnreadableBody | None) -> ScanResult:
    """Return the rows in a body of another shape. Raise `error`, or what the body reports, if there are none."""
    value: object = None
    try:
        value = walker_of(body, options).whole()
    except (InvalidJson, UnreadableBody):
        if error is None:
            return ScanResult()
    if error is not None and isinstance(value, dict):
        raise_if_error(value)
    path = options.mapping.readings_path
    found, inside = at_path(value, path) if path and isinstance(value, dict) else (False, None)
    if path and not found:
        value = None
    within = inside if found else value
    make_rows = _mapped_rows if next(iter(_mapped_rows(within, options)), None) is not None else _shaped_rows
    scan = _Scan(options)
    characters = 0
    for row in make_rows(within, options):
        scan.add(row)
        check_row_count(scan.count, options.max_rows)
        characters += _characters_of(row)
        if options.max_rows is not None and characters > MAX_SHAPED_CHARACTERS:
            raise exceeded(f"its rows, with what surrounds them, have more than {MAX_SHAPED_CHARACTERS:,} characters")
    if not scan.count:
        if error is not None:
            raise (None if options.mapping.time_field else _without_times(within)) or error
        return ScanResult()
    result = scan.result()
    result.zone = scan.zone or (zone_of_entries(entries_of(value)) if isinstance(value, dict) else None)
    _add_around({**members_around(value), **members_around(within)}, result, options)
    if not (result.has_unit or options.is_unit_named or path) and (note := only_list_note(value)):
        options.notes.tell(note)
    around = result.around
    result.shaped_rows = lambda: (item_of({**around, **row} if around else row) for row in make_rows(within, options))
    if not (scan.has_scale or options.mapping.scale):
        options.notes.assumes_celsius = True
    return result


def _shaped_rows(value: object, options: ParseOptions) -> Iterator[dict[str, object]]:
    """Yield the rows in a body, with the time around them if the mapping names it."""
    name = options.mapping.time_field
    time = {name: value[name]} if isinstance(value, dict) and isinstance(value.get(name), str | int | float) else {}
    has_rows = False
    for row in rows_in(value):
        has_rows = True
        yield {**time, **row}
    if name and not has_rows:
        named = options.mapping.temperature_field
        made = rows_in(with_time_around(value, {canonical(name)}))
        yield from (row for row in made if not named or at_path(row, named)[0])


def _without_times(value: object) -> UnreadableBody | None:
    """Return the error for temperatures without times, but with a time around them that may be the response's."""
    row = next(rows_in(with_time_around(value, TIME_NAMES)), {})
    name = next((key for key in row if canonical(key) in TIME_NAMES), None)
    if name is None:
        return None
    message = f"The temperatures in the JSON have no times. If {quoted(name)}, around them, is their time and not that"
    return UnreadableBody(Reason.NO_READINGS_LIST, f"{message} of the response, set the time field to it.")


def item_of(row: dict[str, object]) -> JsonItem:
    """Return a made row with its text."""
    return JsonItem(row, json.dumps(row, ensure_ascii=False))


def _characters_of(row: dict[str, object]) -> int:
    """Return about how long a row's text is, at most as much as one row may have."""
    if len(row) > MAX_COLUMNS:
        raise exceeded(f"a row of it, with what surrounds it, has more than {MAX_COLUMNS:,} members")
    count = sum(len(name) + _length_of(member) for name, member in row.items())
    if count > ROW_LIMITS.characters:
        raise exceeded(f"a row of it, with what surrounds it, has more than {ROW_LIMITS.characters:,} characters")
    return count


def _length_of(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict | list):
        return len(json.dumps(value, ensure_ascii=False))
    return _PLAIN_CHARACTERS


def _mapped_rows(value: object, options: ParseOptions) -> Iterator[dict[str, object]]:
    """Yield the pairs in the lists to which the mapped paths of time and temperature lead.

    Paths such as "values.0" and "values.1" lead into each of a list of lists; others to two lists of the same length.
    """
    mapping = options.mapping
    if not mapping.time_field or not mapping.temperature_field:
        return
    unread: list[dict[str, object]] = []
    has_rows = False
    for row in value if isinstance(value, list) else [value]:
        is_read = False
        for made in _mapped_lists(row, mapping) if isinstance(row, dict) else ():
            is_read = has_rows = True
            yield made
        if not is_read:
            unread.append(row if isinstance(row, dict) else {"row": row})
    if has_rows:  # what has no such lists, or of different lengths, is to be rejected
        yield from unread


def _mapped_lists(row: dict[str, object], mapping: FieldMapping) -> Iterator[dict[str, object]]:
    prefix, _, last = mapping.time_field.rpartition(".")
    same_prefix, _, other = mapping.temperature_field.rpartition(".")
    lists = at_path(row, prefix)[1] if prefix and prefix == same_prefix and (last + other).isdigit() else None
    if isinstance(lists, list):
        if any(isinstance(inner, list) for inner in lists):
            yield from ({**row, prefix: inner} for inner in lists)
        return
    time, temperature = (at_path(row, name)[1] for name in (mapping.time_field, mapping.temperature_field))
    if isinstance(time, list) and isinstance(temperature, list) and len(time) == len(temperature):
        kept = {key: member for key, member in row.items() if not isinstance(member, list)}
        for pair in zip(time, temperature, strict=True):
            yield {**kept, mapping.time_field: pair[0], mapping.temperature_field: pair[1]}


def _scale_around(members: Mapping[str, object], notes: Notes | None) -> str:
    """Return the scale that the object around the rows gives for all of them, "" if none or several.

    `notes`: of one that is not understood, None if the rows give theirs.
    """
    around = [members, *islice((each for each in members.values() if isinstance(each, dict)), 20)]
    entries = [(key, value) for each in around for key, value in each.items()]
    texts = [(key, value) for key, value in entries if isinstance(value, str) and canonical(key) in _SCALE_KEYS]
    scales = {scale for _, text in texts if (scale := scale_of_text(text))}
    scales |= {scale for key, value in entries if isinstance(value, bool) and (scale := switched_scale(key, value))}
    if not scales and notes is not None:
        for key, text in texts:
            if note := unclear_scale_note(key, text):
                notes.tell(note)
    return scales.pop().value if len(scales) == 1 else ""
