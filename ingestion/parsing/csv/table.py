"""Convert the rows of a table to readings: every temperature column, and headers that change on the way."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.csv.events import drop_events
from ingestion.parsing.csv.header import CsvHeader, parse_header
from ingestion.parsing.csv.lines import LineBlock, LineSplitter, SplitLines, constant_field, temperature_field
from ingestion.parsing.csv.scale_lines import device_entry, scale_entry, zone_before
from ingestion.parsing.fields.identity import several_devices
from ingestion.parsing.fields.layout import MissingColumn, TemperatureColumn
from ingestion.parsing.fields.names import constant_fields
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.fields.zones import BODY, ZONE_NAMES, local_title_note, without_zone_note
from ingestion.parsing.limits import MAX_REPEATED_HEADERS, exceeded
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import RejectedReading, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import converted_frame
from ingestion.parsing.values.rules import ParseOptions, RowRejected, RowRules, RowSkipped, rules_of_quantity
from ingestion.parsing.values.timestamps import DayOrder
from ingestion.sources.mapping import AS_UNITS

_MAX_HEADERS = 100
# Reasons for which a line is rejected that could be another header, a scale or a summary.
_MAYBE_NO_ROW = frozenset(
    {
        Reason.WRONG_NUMBER_OF_COLUMNS,
        Reason.UNREADABLE_TIME,
        Reason.NO_TIME,
        Reason.NOT_A_NUMBER,
        Reason.UNKNOWN_SCALE,
    }
)
_TITLE_WORD = re.compile(r"temp|[°º˚]|celsius|fahrenheit|unit|scale|time|value", re.I)
_DATE = re.compile(r"\d.*\d")
_MAX_REMEMBERED = 100
_NO_READING = ("line that is no reading", "lines that are no readings")


class Table:
    """The rows below a header. `rules` apply to the cells of all rows."""

    def __init__(self, header: CsvHeader, day_order: DayOrder, options: ParseOptions) -> None:
        self._options = options
        # Of a column with zones, also after a header without one.
        self._zone_title = ""
        self._day_order = day_order
        self._header_count = self._repeated_headers = 0
        self.header = header
        self.change_header(header)
        self._tell(header)

    def change_header(self, header: CsvHeader) -> None:
        """Apply another header to the rows that are split from now on. Raise UnreadableBody after too many."""
        self._header_count += 1
        if self._header_count > _MAX_HEADERS:
            raise UnreadableBody(Reason.NO_HEADER, why=f"the header changes more than {_MAX_HEADERS} times")
        # Another header has another line; a line with a scale only keeps it.
        self._is_scale_line = self._header_count > 1 and header.line == self.header.line
        self._has_rows_below = False
        # Lines that are no headers, each with the one below it, which may be of units: nor are they when they recur.
        self._no_headers: set[tuple[bytes, ...]] = set()
        self.header = header
        self._constants: dict[int, str] = {}
        column = header.layout.zone_column
        if column is not None and canonical(header.titles[column]) in ZONE_NAMES:
            self._zone_title = header.titles[column]
        self.rules = row_rules(header, self._day_order, self._options)
        self.splitter = LineSplitter(
            header, constant_fields(self._options.mapping), filter_position=self._filter_position(header)
        )

    def split(self, block: LineBlock, body: DecodedBody) -> SplitLines:
        """Split lines by the current header."""
        return self.splitter.split(block, body)

    def convert(self, split: SplitLines) -> tuple[pl.DataFrame, list[RejectedReading], CsvHeader | None]:
        """Return the converted and the rejected rows, up to a line that is another header, and that header."""
        names = [constant_field(position) for position in self.header.layout.constant]
        raw_fields = split.raw_fields.drop(names) if names else split.raw_fields
        converted, rejected = self._convert(raw_fields, split)
        rejected = [each for each in split.rejected + rejected if not self.splitter.is_blank(each.raw)]
        kept, new_header = self._without_headers(rejected, split.block)
        if new_header is not None:
            converted = converted.filter(pl.col("row_number") < new_header.line_number)
            kept = [each for each in kept if each.row_number < new_header.line_number]
        if names:
            self._refuse_changes(split.raw_fields.filter(pl.col("row_number").is_in(converted["row_number"].implode())))
        if self._zone_title and converted["is_local"].any():
            self._options.notes.tell(without_zone_note(self._zone_title, self.header.layout.zone))
        self._tell_zone(converted, kept)
        self._has_rows_below |= not converted.is_empty() or any(each.reason not in _MAYBE_NO_ROW for each in kept)
        self._count_summaries(kept)
        return drop_events(converted, split, self.header, self._options.notes), kept, new_header

    def _tell_zone(self, converted: pl.DataFrame, rejected: list[RejectedReading]) -> None:
        """Tell that times are read as UTC although they are called local, or a line gives another zone."""
        mapping, zone, position = self._options.mapping, self.header.layout.zone, self.header.layout.columns.get("time")
        if position is None or mapping.time_zone != "UTC" or zone or not converted["is_local"].any():
            return
        if note := local_title_note(self.header.titles[position], mapping):
            self._options.notes.tell(note)
        if given := zone_before([each.raw for each in rejected if each.reason in _MAYBE_NO_ROW]):
            self._options.notes.tell(
                f"A line below the header gives the zone {given.name}, which was not applied. Set the time zone."
            )

    def refuse_scale_at_end(self) -> None:
        """Raise UnreadableBody if the last line gives another scale than that by which the rows above it were read."""
        scale = self.header.scale
        if scale and self._is_scale_line and not self._has_rows_below and not self._options.mapping.scale:
            message = f"A line below the rows gives another scale, {scale.label}, than the rows were read by."
            raise UnreadableBody(Reason.CONTRADICTORY_SCALES, f"{message} Set the scale.")

    def _filter_position(self, header: CsvHeader) -> int | None:
        name = self._options.mapping.filter_field
        if not name:
            return None
        titles = [title.strip().casefold() for title in header.titles]
        if name.casefold() not in titles:
            raise UnreadableBody(Reason.NO_HEADER, why=f"no column {name!r} for the row filter")
        return titles.index(name.casefold())

    def _tell(self, header: CsvHeader) -> None:
        notes = self._options.notes
        for note in (*header.layout.notes, *header.notes):
            notes.tell(note)
        if header.skipped_lines and not self._options.mapping.skip_until_header:
            notes.tell(f"Lines before the header: {header.skipped_lines}.")
        if header.layout.unread:
            notes.tell(f"Columns that are not read: {names_listed(header.layout.unread)}.")
        set_scale = self._options.mapping.scale
        for column in header.layout.temperatures:
            if set_scale and column.scale and column.scale != set_scale:
                notes.tell(
                    f"The scale setting {set_scale} was used, but the title {quoted(column.title)} says otherwise."
                )
        is_known = (
            header.scale or header.layout.scales or set_scale or constant_fields(self._options.mapping).get("scale")
        )
        if not is_known and any(not column.scale and not column.has_units for column in header.layout.temperatures):
            self._options.notes.assumes_celsius = True

    def _convert(self, raw_fields: pl.DataFrame, split: SplitLines) -> tuple[pl.DataFrame, list[RejectedReading]]:
        raw_fields = self._filtered(raw_fields)
        parts: list[pl.DataFrame] = []
        rejected: list[RejectedReading] = []
        for index, column in enumerate(self.header.layout.temperatures):
            rules = self._column_rules(column)
            for rows, part_rules in self._by_quantity(
                self._of_column(raw_fields, index, column), rules, split, rejected
            ):
                part, part_rejected = convert_rows(rows, part_rules, split.block.text)
                parts.append(part)
                rejected += part_rejected
        if len(parts) == 1:
            return parts[0], rejected
        frame = pl.concat(parts).sort("row_number", maintain_order=True) if parts else converted_frame([])
        return frame, sorted(dict.fromkeys(rejected), key=lambda each: each.row_number)

    def _column_rules(self, column: TemperatureColumn) -> RowRules:
        scale = column.scale or self.header.scale
        if scale is None or self._options.mapping.scale:
            return self.rules
        return replace(self.rules, default_scale=scale.value, title_scale=column.scale.value if column.scale else "")

    def _filtered(self, raw_fields: pl.DataFrame) -> pl.DataFrame:
        if "filter" not in raw_fields:
            return raw_fields
        values = list(self._options.mapping.filter_values)
        return raw_fields.filter(pl.col("filter").str.strip_chars().str.to_lowercase().is_in(values)).drop("filter")

    def _of_column(self, raw_fields: pl.DataFrame, index: int, column: TemperatureColumn) -> pl.DataFrame:
        """Return the raw fields with one temperature, and its sensor or unit if there are several."""
        count = len(self.header.layout.temperatures)
        others = [temperature_field(other) for other in range(count) if other != index]
        fields = raw_fields.drop(others) if others else raw_fields
        fields = fields.rename({temperature_field(index): "temperature"}) if index else fields
        if not column.sensor:
            return fields
        if self._options.mapping.several_temperatures == AS_UNITS:
            return fields.with_columns(unit=pl.lit(column.sensor))
        name = pl.lit(column.sensor)
        has_sensor = "sensor" in fields
        sensor = pl.concat_str([pl.col("sensor"), name], separator=" ").str.strip_chars() if has_sensor else name
        return fields.with_columns(sensor=sensor)

    def _by_quantity(
        self, rows: pl.DataFrame, rules: RowRules, split: SplitLines, rejected: list[RejectedReading]
    ) -> list[tuple[pl.DataFrame, RowRules]]:
        """Return the rows that measure temperatures by their scale, passing over rows that measure something else."""
        if "quantity" not in rows:
            return [(rows, rules)]
        parts = []
        for (name,), part in rows.partition_by("quantity", as_dict=True, maintain_order=True).items():
            part = part.drop("quantity")
            try:
                parts.append((part, rules_of_quantity(str(name), rules, self._options.mapping)))
            except RowSkipped as skipped:
                self._options.notes.count(*skipped.note, count=len(part))
            except RowRejected as rejection:
                rejected += [
                    RejectedReading(number, rejection.reason, str(rejection), split.block.text(number))
                    for number in part["row_number"].to_list()
                ]
        return parts

    def _without_headers(
        self, rejected: list[RejectedReading], block: LineBlock
    ) -> tuple[list[RejectedReading], CsvHeader | None]:
        """Return the rejected lines without repeated headers, up to a different one, and that one."""
        kept: list[RejectedReading] = []
        for each in sorted(rejected, key=lambda row: row.row_number):
            self._refuse_another_device(each)
            if each.reason in _MAYBE_NO_ROW and _TITLE_WORD.search(each.raw):
                header = self._header_at(each, block)
                if header is not None and (header.line, header.scales) != (self.header.line, self.header.scales):
                    return kept, header
                if header is not None:
                    self._count_header()
                    continue
            kept.append(each)
        return kept, None

    def _refuse_another_device(self, line: RejectedReading) -> None:
        """Raise UnreadableBody if a line begins the rows of another device, which no column tells apart."""
        columns = self.header.layout.columns
        is_candidate = line.reason is Reason.WRONG_NUMBER_OF_COLUMNS and not columns.keys() & {"unit", "sensor"}
        if is_candidate and (device := device_entry(line.raw)) and device not in self.header.devices:
            what = "a list of several devices, one below the other"
            why = f": line {line.row_number} begins the readings of {quoted(device)}, and no column names devices"
            raise UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why=why)

    def _refuse_changes(self, rows: pl.DataFrame) -> None:
        """Raise UnreadableBody if rows differ in a column that was the same in all rows before, such as a serial.

        That is only noted if a person named the unit.
        """
        for position in self.header.layout.constant:
            cells = rows[constant_field(position)].str.strip_chars()
            first = self._constants.setdefault(position, next(iter(cells.filter(cells != "")), ""))
            changed = rows.filter(~cells.is_in(["", first]))
            if changed.is_empty():
                continue
            found = several_devices(self.header.titles[position], f"line {changed['row_number'][0]}")
            if not self._options.is_unit_named:
                raise UnreadableBody(Reason.UNSUPPORTED_FILE, found)
            self._options.notes.tell(found)

    def _count_header(self) -> None:
        self._repeated_headers += 1
        if self._repeated_headers > MAX_REPEATED_HEADERS:
            raise exceeded(f"its header is repeated more than {MAX_REPEATED_HEADERS:,} times")

    def _header_at(self, line: RejectedReading, block: LineBlock) -> CsvHeader | None:
        """Return the header that applies from a line on, None if it is neither a header nor gives a scale."""
        if scale := scale_entry(line.raw):
            return replace(self.header.with_scale(scale), line_number=line.row_number)
        index = line.row_number - block.first_number
        beginning = tuple(block.lines[index : index + 2])
        if beginning in self._no_headers:
            return None
        lines = [each.decode() for each in block.lines[index : index + 50]]
        try:
            header = parse_header(
                lines,
                0,
                self._options.mapping,
                has_default_unit=self._options.is_unit_named,
                first_number=line.row_number,
                delimiter=self.header.delimiter,
            )
        except MissingColumn:
            if len(self._no_headers) < _MAX_REMEMBERED:
                self._no_headers.add(beginning)
            return None
        zone = self.header.layout.zone
        header = replace(header, devices=self.header.devices).with_zone(zone if zone and zone.why == BODY else None)
        if header.scale is None and any(column.scale is None for column in header.layout.temperatures):
            return replace(header, scale=self.header.scale)
        return header

    def _count_summaries(self, rejected: list[RejectedReading]) -> None:
        """Count the rejected lines without a date: totals and remarks below or between the rows."""
        for each in rejected:
            is_maybe_no_row = each.reason in _MAYBE_NO_ROW and each.reason is not Reason.NO_TIME
            if is_maybe_no_row and not _DATE.search(self._time_cell(each.raw)):
                self._options.notes.count(*_NO_READING, each.raw)

    def _time_cell(self, line: str) -> str:
        cells = line.split(self.header.delimiter)
        position = self.header.layout.columns.get("time", 0)
        return cells[position] if position < len(cells) else ""


def row_rules(header: CsvHeader, day_order: DayOrder, options: ParseOptions) -> RowRules:
    """Return the rules for the cells below a header."""
    columns = header.layout.temperatures
    scale = columns[0].scale if len(columns) == 1 else None
    return options.row_rules(
        day_order,
        has_unit="unit" in header.layout.columns,
        title_scale=(scale or header.scale or ""),
        decimal_marks=header.decimal_marks,
        given_zone=header.layout.zone,
    )
