"""The last step of parsing, the same for every shape: local times become instants, bounds are checked, units noted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from ingestion.parsing.local_times import LocalClock, RepeatedHourResolver
from ingestion.parsing.rejection_reasons import Reason, sentence
from ingestion.parsing.results import READING_SCHEMA, ParsedBatch, RawRow, RejectedReading
from ingestion.parsing.row import CONVERTED_SCHEMA, RowRules
from ingestion.parsing.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds
from ingestion.parsing.unit_descriptions import describe_units
from ingestion.sources.mapping import FieldMapping

EARLIEST_US = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
MAX_AHEAD = timedelta(hours=24)
# Rows of a repeated hour wait for those that follow. A file that keeps more waiting than this is not a logger's.
MAX_PENDING_ROWS = 100_000
_SENSOR = ["facility_code", "unit_code", "sensor_code"]


class BatchBuilder:
    """Makes the batches of one delivery, in file order; holds back rows of repeated hours until they are decided."""

    def __init__(self, mapping: FieldMapping, received_at: datetime, rules: RowRules, row_context: str = "") -> None:
        self._zone = mapping.time_zone
        self._clock = LocalClock(mapping.zone)
        self._latest_us = microseconds(received_at + MAX_AHEAD)
        self._rules = rules
        self._row_context = row_context
        self._hours = RepeatedHourResolver()
        self._pending = pl.DataFrame(schema=CONVERTED_SCHEMA)
        self._pending_raw: dict[int, str] = {}

    def build(self, converted: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        """A batch from rows of CONVERTED_SCHEMA in file order, and from those of earlier ones that they decide."""
        rejected = list(rejected)
        pending_raw: dict[int, str] = {}
        if self._zone == "UTC" or not converted["is_local"].any():
            resolved = converted
        else:
            resolved = self._to_utc(converted, rejected, raw_row, pending_raw)
        return self._batch(resolved, rejected, lambda number: pending_raw.get(number) or raw_row(number))

    def finish(self, *, is_cut_off: bool, rejected: Sequence[RejectedReading] = ()) -> ParsedBatch:
        """The last batch: what was still held back, and what the end of the body showed."""
        last, pending_raw = list(rejected), self._pending_raw
        resolved = self._release(self._hours.finish(), last, pending_raw)
        batch = self._batch(resolved, last, pending_raw.__getitem__)
        batch.is_cut_off = is_cut_off
        return batch

    def _to_utc(
        self, rows: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow, pending_raw: dict[int, str]
    ) -> pl.DataFrame:
        """Walls of `rows` in UTC, with the rows released by them and without those held back or never been."""
        walls = rows["wall"].to_numpy()
        # What is out of bounds by more than a day is so in every zone, and may be beyond what a zone can tell.
        near = (walls > EARLIEST_US - DAY_US) & (walls < self._latest_us + DAY_US)
        local = rows["is_local"].to_numpy() & near
        offsets = self._clock.offsets(np.where(local, walls, EARLIEST_US))
        skipped, ambiguous = local & offsets.skipped, local & offsets.ambiguous
        for number, wall in rows.filter(pl.Series(skipped)).select("row_number", "wall").rows():
            rejected.append(self._rejection(number, Reason.SKIPPED_HOUR, wall, raw_row(number), is_local=True))
        held = rows.filter(pl.Series(ambiguous))
        self._pending_raw |= {number: raw_row(number) for number in held["row_number"].to_list()}
        self._pending = pl.concat([self._pending, held])
        decided = self._process(rows, local & ~skipped, ambiguous)
        if len(self._pending) > MAX_PENDING_ROWS:
            decided |= self._hours.finish()
        resolved = rows.with_columns(wall=pl.Series(walls - np.where(local, offsets.first, 0)))
        resolved = resolved.filter(pl.Series(~skipped & ~ambiguous))
        released = self._release(decided, rejected, pending_raw)
        return pl.concat([resolved, released]).sort("row_number") if len(released) else resolved

    def _process(self, rows: pl.DataFrame, local: np.ndarray, ambiguous: np.ndarray) -> dict[int, int | None]:
        rows = rows.select(*_SENSOR, "wall", "row_number", ambiguous=pl.Series(ambiguous)).filter(pl.Series(local))
        if not self._hours.is_pending and not ambiguous.any():
            last = rows.group_by(_SENSOR).agg(pl.col("wall").last())
            self._hours.note_last_times({row[:-1]: row[-1] for row in last.rows()})
            return {}
        sensors: list[Hashable] = list(rows.select(_SENSOR).rows())
        columns = (rows[name].to_list() for name in ("wall", "row_number", "ambiguous"))
        return self._hours.process(sensors, *columns)

    def _release(
        self, decided: dict[int, int | None], rejected: list[RejectedReading], pending_raw: dict[int, str]
    ) -> pl.DataFrame:
        """The held rows that are decided, in UTC; the undecidable ones go to `rejected`."""
        is_decided = pl.col("row_number").is_in(list(decided))
        rows, self._pending = self._pending.filter(is_decided), self._pending.filter(~is_decided)
        walls = rows["wall"].to_numpy()
        offsets = self._clock.offsets(walls)
        resolve_folds = [decided[number] for number in rows["row_number"].to_list()]
        for number, wall, fold in zip(rows["row_number"].to_list(), walls.tolist(), resolve_folds, strict=True):
            raw = pending_raw[number] = self._pending_raw[number]
            if fold is None:
                rejected.append(self._rejection(number, Reason.AMBIGUOUS_HOUR, wall, raw, is_local=True))
        if pending_raw is not self._pending_raw:
            for number in decided:
                del self._pending_raw[number]
        offset = np.where(np.array([fold == 1 for fold in resolve_folds], np.bool_), offsets.second, offsets.first)
        released = rows.with_columns(wall=pl.Series(walls - offset, dtype=pl.Int64))
        return released.filter(pl.Series([fold is not None for fold in resolve_folds], dtype=pl.Boolean))

    def _batch(self, resolved: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        is_possible = resolved["wall"].is_between(EARLIEST_US, self._latest_us)
        if not is_possible.all():
            for number, wall in resolved.filter(~is_possible).select("row_number", "wall").rows():
                reason = Reason.TOO_OLD if wall < EARLIEST_US else Reason.FUTURE_TIME
                rejected.append(self._rejection(number, reason, wall, raw_row(number)))
            resolved = resolved.filter(is_possible)
        recorded_at = pl.col("wall").cast(pl.Datetime("us", "UTC")).alias("recorded_at")
        return ParsedBatch(
            readings=resolved.with_columns(recorded_at).select(READING_SCHEMA.keys()),
            rejected=sorted(rejected, key=lambda each: each.row_number),
            units=describe_units(resolved, self._rules),
            raw_row=raw_row,
            row_context=self._row_context,
        )

    def _rejection(
        self, number: int, reason: Reason, wall: int, raw: str, *, is_local: bool = False
    ) -> RejectedReading:
        try:
            shown = f"{EPOCH + wall * MICROSECOND:%Y-%m-%d %H:%M:%S}" + ("" if is_local else " UTC")
        except OverflowError:  # beyond the calendar's years
            shown = f"{wall // 1_000_000} s since 1970"
        return RejectedReading(number, reason, sentence(reason, value=shown, zone=self._zone), raw)


def with_final_batch(batches: Iterable[ParsedBatch], finish: Callable[[], ParsedBatch]) -> Iterator[ParsedBatch]:
    """The batches, closed by what `finish` makes: a batch of its own where it holds readings or is the only one."""
    previous: ParsedBatch | None = None
    for batch in batches:
        if previous is not None:
            yield previous
        previous = batch
    last = finish()
    if previous is not None and last.readings.is_empty():
        previous.is_cut_off = last.is_cut_off
        previous.rejected += last.rejected
        yield previous
        return
    if previous is not None:
        yield previous
    yield last
