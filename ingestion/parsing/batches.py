"""Build batches from converted rows of any format: resolve local times, check bounds, describe units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.fields.scale_reasons import ScaleOfColumn
from ingestion.parsing.fields.zones import GivenZone
from ingestion.parsing.limits import MAX_PENDING_CHARACTERS, MAX_PENDING_ROWS
from ingestion.parsing.plausibility import PlausibilityChecks
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.reset_clocks import ResetClocks
from ingestion.parsing.results import READING_SCHEMA, ParsedBatch, RawRow, RejectedReading, empty_readings
from ingestion.parsing.unit_descriptions import describe_units
from ingestion.parsing.values.local_times import LocalClock, Offsets, RepeatedHourResolver
from ingestion.parsing.values.row import CONVERTED_SCHEMA
from ingestion.parsing.values.rules import RowRules
from ingestion.parsing.values.texts import FEW_ROWS
from ingestion.parsing.values.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds
from ingestion.sources.mapping import FieldMapping

EARLIEST_US = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
MAX_AHEAD = timedelta(hours=24)
# By how much a clock may be ahead in an hour that is to be repeated.
CLOCK_TOLERANCE = timedelta(minutes=1)
_SENSOR = ["facility_code", "unit_code", "sensor_code"]
_NO_ROWS = pl.DataFrame(schema=CONVERTED_SCHEMA)
_NO_READINGS = empty_readings()


class BatchBuilder:
    """Build the batches of one delivery in file order, holding back rows of repeated hours until they are resolved."""

    def __init__(
        self,
        mapping: FieldMapping,
        received_at: datetime,
        rules: RowRules,
        row_context: str = "",
        given_zone: GivenZone | None = None,
        *,
        clocks: ResetClocks | None = None,
    ) -> None:
        """`clocks` compares the rows of a body of several batches as a whole."""
        self._set_zone = mapping.time_zone
        self._accepts_old = mapping.accepts_old_readings
        self._latest_us = microseconds(received_at + MAX_AHEAD)
        self._passed_us = microseconds(received_at + CLOCK_TOLERANCE)
        self._rules = rules
        self._notes = rules.notes
        self._zone, self._clock = mapping.time_zone, LocalClock(mapping.zone)
        self._hours = RepeatedHourResolver()
        self.change_context(row_context, given_zone)
        self._checks = PlausibilityChecks(rules, received_at, accepts_old_readings=self._accepts_old)
        accepted = ResetClocks(received_at, begins_at=0) if self._accepts_old else None
        self._reset_clocks = accepted or clocks or ResetClocks(received_at)
        self._pending = _NO_ROWS
        self._pending_raw: dict[int, str] = {}

    def change_context(self, row_context: str, given_zone: GivenZone | None) -> None:
        """Apply another header to the rows from now on; the zone in a time's title precedes the mapping's.

        Rows of the header before that are still pending have to be taken out before, by `pending_batch`.
        """
        self._row_context = row_context
        if given_zone is None or given_zone.zone is None or str(given_zone.zone) == self._zone:
            return
        if self._set_zone != "UTC" and not given_zone.precedes_setting:
            return
        self._zone, self._clock = str(given_zone.zone), LocalClock(given_zone.zone)
        self._hours = RepeatedHourResolver()
        contradiction = f", not as {self._set_zone}" if self._set_zone != "UTC" else ""
        self._notes.tell(f"Times are read as {self._zone}, which {given_zone.why}{contradiction}.")

    def build(self, converted: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        """Return a batch of rows of CONVERTED_SCHEMA, in file order, and of the pending rows that they resolve."""
        rejected = list(rejected)
        self._checks.note_hours(converted)
        pending_raw: dict[int, str] = {}
        if self._zone == "UTC" or not converted["is_local"].any():
            resolved = converted
            self._tell_own_offsets(converted)
        else:
            resolved = self._to_utc(converted, rejected, raw_row, pending_raw)
        return self._batch(resolved, rejected, lambda number: pending_raw.get(number) or raw_row(number))

    def pending_batch(self) -> ParsedBatch | None:
        """Return a batch of the pending rows, as no further rows of their context follow; None if none are pending."""
        if not len(self._pending):
            return None
        rejected: list[RejectedReading] = []
        pending_raw: dict[int, str] = {}
        resolved = self._release(self._hours.finish(), rejected, pending_raw)
        return self._batch(resolved, rejected, pending_raw.__getitem__)

    def finish(
        self,
        *,
        is_cut_off: bool,
        rejected: Sequence[RejectedReading] = (),
        scales: tuple[ScaleOfColumn, ...] = (),
    ) -> ParsedBatch:
        """Return the last batch: the rows still pending, and those rejected at the end of the body."""
        last = list(rejected)
        pending_raw: dict[int, str] = {}
        resolved = self._release(self._hours.finish(), last, pending_raw) if len(self._pending) else _NO_ROWS
        batch = self._batch(resolved, last, pending_raw.__getitem__)
        batch.is_cut_off = is_cut_off
        batch.notes, batch.scales = self._checks.sentences(), scales
        return batch

    def _tell_own_offsets(self, rows: pl.DataFrame) -> None:
        if self._zone != "UTC" and len(rows):
            self._notes.tell(f"The rows state their own UTC offset, so the time zone {self._zone} was not applied.")

    def _to_utc(
        self, rows: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow, pending_raw: dict[int, str]
    ) -> pl.DataFrame:
        """Return `rows` with times in UTC, without skipped or pending ones, and the pending rows that they resolve."""
        walls = rows["wall"].to_numpy()
        # More than a day out of bounds is out of bounds in every zone, and may exceed what a zone can convert.
        in_range = (walls > EARLIEST_US - DAY_US) & (walls < self._latest_us + DAY_US)
        local = rows["is_local"].to_numpy() & in_range
        offsets = self._clock.offsets(np.where(local, walls, EARLIEST_US))
        skipped, ambiguous = local & offsets.skipped, local & offsets.ambiguous
        utc_rows = _with_walls(rows, walls - np.where(local, offsets.first, 0))
        if not (skipped.any() or ambiguous.any() or self._hours.is_pending):  # as in most batches
            self._hours.note_last_times(_last_walls(rows, local))
            return utc_rows
        for number, wall in rows.filter(pl.Series(skipped)).select("row_number", "wall").rows():
            rejected.append(self._rejection(number, Reason.SKIPPED_HOUR, wall, raw_row(number), is_local=True))
        pending = rows.filter(pl.Series(ambiguous))
        # Before they are added: all pending rows that are resolved together become objects.
        is_full = len(self._pending) + len(pending) > MAX_PENDING_ROWS
        resolved_folds = self._hours.finish() if is_full or self._pending_characters() > MAX_PENDING_CHARACTERS else {}
        self._pending_raw |= {number: raw_row(number) for number in pending["row_number"].to_list()}
        self._pending = pl.concat([self._pending, pending])
        resolved_folds |= self._process(rows, local & ~skipped, ambiguous)
        resolved = utc_rows.filter(pl.Series(~skipped & ~ambiguous))
        released = self._release(resolved_folds, rejected, pending_raw)
        return pl.concat([resolved, released]).sort("row_number") if len(released) else resolved

    def _pending_characters(self) -> int:
        return sum(map(len, self._pending_raw.values()))

    def _process(
        self, rows: pl.DataFrame, local: NDArray[np.bool_], ambiguous: NDArray[np.bool_]
    ) -> dict[Hashable, int | None]:
        rows = rows.select(*_SENSOR, "wall", "row_number", ambiguous=pl.Series(ambiguous)).filter(pl.Series(local))
        sensors: list[Hashable] = list(rows.select(_SENSOR).rows())
        return self._hours.process(sensors, rows["wall"].to_list(), _keys(rows), rows["ambiguous"].to_list())

    def _release(
        self, resolved_folds: dict[Hashable, int | None], rejected: list[RejectedReading], pending_raw: dict[int, str]
    ) -> pl.DataFrame:
        """Return the pending rows that are resolved, in UTC, and their texts; add the ambiguous ones to `rejected`."""
        keys = _keys(self._pending)
        is_resolved = pl.Series([key in resolved_folds for key in keys], dtype=pl.Boolean)
        rows, self._pending = self._pending.filter(is_resolved), self._pending.filter(~is_resolved)
        walls = rows["wall"].to_numpy()
        offsets = self._clock.offsets(walls)
        folds = self._past_folds([resolved_folds[key] for key in keys if key in resolved_folds], walls, offsets)
        for number, wall, fold in zip(rows["row_number"].to_list(), walls.tolist(), folds, strict=True):
            raw = pending_raw[number] = self._pending_raw[number]
            if fold is None:
                rejected.append(self._rejection(number, Reason.AMBIGUOUS_HOUR, wall, raw, is_local=True))
        self._pending_raw = {number: self._pending_raw[number] for number in self._pending["row_number"].to_list()}
        offset = np.where(np.array([fold == 1 for fold in folds], np.bool_), offsets.second, offsets.first)
        released = rows.with_columns(wall=pl.Series(walls - offset, dtype=pl.Int64))
        return released.filter(pl.Series([fold is not None for fold in folds], dtype=pl.Boolean))

    def _past_folds(self, folds: list[int | None], walls: NDArray[np.int64], offsets: Offsets) -> list[int | None]:
        """Return the folds without those of a second occurrence that is still to come.

        What looked like the step back of the clock is a repeated or late row then.
        """
        is_to_come = (walls - offsets.second > self._passed_us).tolist()
        return [None if fold == 1 and later else fold for fold, later in zip(folds, is_to_come, strict=True)]

    def _batch(self, resolved: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        readings, units = _NO_READINGS, {}
        if len(resolved):
            resolved = self._plausible(resolved, rejected, raw_row)
            self._checks.add(resolved)
            # Not by an expression, as in `ingestion.parsing.values.texts`.
            recorded_at = resolved["wall"].cast(pl.Datetime("us", "UTC"))
            columns = {name: recorded_at if name == "recorded_at" else resolved[name] for name in READING_SCHEMA}
            readings = pl.DataFrame(columns)
            units = describe_units(resolved, self._rules)
        return ParsedBatch(
            readings=readings,
            # Once, however many temperatures a row has.
            rejected=sorted(dict.fromkeys(rejected), key=lambda each: each.row_number),
            units=units,
            raw_row=raw_row,
            row_context=self._row_context,
            accepts_old_readings=self._accepts_old,
        )

    def _plausible(self, resolved: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> pl.DataFrame:
        """Return the rows whose times are possible and from clocks that were not reset; reject the others."""
        walls = resolved["wall"].to_numpy()
        is_possible = (walls >= EARLIEST_US) & (walls <= self._latest_us)
        if not is_possible.all():
            for number, wall in resolved.filter(pl.Series(~is_possible)).select("row_number", "wall").rows():
                reason = Reason.TOO_OLD if wall < EARLIEST_US else Reason.FUTURE_TIME
                rejected.append(self._rejection(number, reason, wall, raw_row(number)))
            resolved = resolved.filter(pl.Series(is_possible))
        return self._without_reset_clock(resolved, rejected, raw_row)

    def _without_reset_clock(
        self, rows: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow
    ) -> pl.DataFrame:
        """Return the rows without those of a device whose clock had been reset, which are rejected."""
        is_reset, why = self._reset_clocks.find(rows["wall"].to_numpy())
        if not is_reset.any():
            return rows
        for number, wall in rows.filter(pl.Series(is_reset)).select("row_number", "wall").rows():
            rejected.append(self._rejection(number, Reason.CLOCK_RESET, wall, raw_row(number), why=why))
        return rows.filter(pl.Series(~is_reset))

    def _rejection(
        self, number: int, reason: Reason, wall: int, raw: str, *, is_local: bool = False, why: str = ""
    ) -> RejectedReading:
        try:
            text = f"{EPOCH + wall * MICROSECOND:%Y-%m-%d %H:%M:%S}" + ("" if is_local else " UTC")
        except OverflowError:  # outside the years that datetime supports
            text = f"{wall // 1_000_000} s since 1970"
        return RejectedReading(number, reason, message_for(reason, value=text, zone=self._zone, why=why), raw)


def _keys(rows: pl.DataFrame) -> list[Hashable]:
    """Return what identifies each temperature of a row, as the row's number does not if it has several."""
    return list(rows.select("row_number", *_SENSOR).rows())


def _with_walls(rows: pl.DataFrame, walls: NDArray[np.int64]) -> pl.DataFrame:
    return pl.DataFrame([pl.Series("wall", walls) if name == "wall" else rows[name] for name in rows.columns])


def _last_walls(rows: pl.DataFrame, local: NDArray[np.bool_]) -> dict[Hashable, int]:
    """Return the last local time of each sensor."""
    if len(rows) <= FEW_ROWS:
        columns = (rows[name].to_list() for name in (*_SENSOR, "wall"))
        return {row[:-1]: row[-1] for row, is_local in zip(zip(*columns, strict=True), local, strict=True) if is_local}
    last = rows.select(*_SENSOR, "wall").filter(pl.Series(local)).group_by(_SENSOR).agg(pl.col("wall").last())
    return {row[:-1]: row[-1] for row in last.rows()}


def with_final_batch(batches: Iterable[ParsedBatch], finish: Callable[[], ParsedBatch]) -> Iterator[ParsedBatch]:
    """Yield the batches, the last one completed by the result of `finish`.

    That result is a batch of its own if it holds readings or is the only one.
    """
    previous: ParsedBatch | None = None
    for batch in batches:
        if previous is not None:
            yield previous
        previous = batch
    last = finish()
    if previous is not None and last.readings.is_empty():
        previous.is_cut_off = last.is_cut_off
        previous.rejected += last.rejected
        previous.notes, previous.scales = last.notes, last.scales
        yield previous
        return
    if previous is not None:
        yield previous
    yield last
