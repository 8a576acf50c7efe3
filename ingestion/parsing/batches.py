"""The last step of parsing, the same for every shape: local times become instants, bounds are checked, units noted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from ingestion.parsing.columns import RawRow
from ingestion.parsing.field_names import UNIT_FACTS
from ingestion.parsing.local_times import LocalClock, RepeatedHours
from ingestion.parsing.rejection_reasons import Reason, sentence
from ingestion.parsing.results import READING_SCHEMA, ParsedBatch, RejectedReading, UnitDescription, UnitKey
from ingestion.parsing.row import CONVERTED_SCHEMA, NOT_TEXT, RowRules, read_number
from ingestion.parsing.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds
from ingestion.sources.mapping import FieldMapping

EARLIEST_US = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
FURTHEST_AHEAD = timedelta(hours=24)
# Rows of a repeated hour wait for those that follow. A file that keeps more waiting than this is not a logger's.
MOST_WAITING = 100_000
_TEXT_LIMIT = 200
_SIZE_UNIT_LIMIT = 20
_SENSOR = ["facility_code", "unit_code", "sensor_code"]


class BatchMaker:
    """Makes the batches of one delivery, in file order; holds back rows of repeated hours until they are decided."""

    def __init__(self, mapping: FieldMapping, received_at: datetime, rules: RowRules, row_header: str = "") -> None:
        self._zone = mapping.time_zone
        self._clock = LocalClock(mapping.zone)
        self._latest_us = microseconds(received_at + FURTHEST_AHEAD)
        self._rules = rules
        self._row_header = row_header
        self._hours = RepeatedHours()
        self._waiting = pl.DataFrame(schema=CONVERTED_SCHEMA)
        self._waiting_raw: dict[int, str] = {}

    def make(self, converted: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        """A batch from rows of CONVERTED_SCHEMA in file order, and from those of earlier ones that they decide."""
        rejected = list(rejected)
        known_raw: dict[int, str] = {}
        if self._zone == "UTC" or not converted["is_local"].any():
            settled = converted
        else:
            settled = self._settle(converted, rejected, raw_row, known_raw)
        return self._batch(settled, rejected, lambda number: known_raw.get(number) or raw_row(number))

    def finish(self, *, is_cut_off: bool, rejected: Sequence[RejectedReading] = ()) -> ParsedBatch:
        """The last batch: what was still held back, and what the end of the body showed."""
        last, known_raw = list(rejected), self._waiting_raw
        settled = self._release(self._hours.finish(), last, known_raw)
        batch = self._batch(settled, last, known_raw.__getitem__)
        batch.is_cut_off = is_cut_off
        return batch

    def _settle(
        self, rows: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow, known_raw: dict[int, str]
    ) -> pl.DataFrame:
        """Walls of `rows` in UTC, with the rows released by them and without those held back or never been."""
        walls = rows["wall"].to_numpy()
        # What is out of bounds by more than a day is so in every zone, and may be beyond what a zone can tell.
        near = (walls > EARLIEST_US - DAY_US) & (walls < self._latest_us + DAY_US)
        local = rows["is_local"].to_numpy() & near
        offsets = self._clock.offsets(np.where(local, walls, EARLIEST_US))
        skipped, ambiguous = local & offsets.skipped, local & offsets.ambiguous
        for number, wall in rows.filter(pl.Series(skipped)).select("row_number", "wall").rows():
            rejected.append(self._refuse(number, Reason.SKIPPED_HOUR, wall, raw_row(number), is_local=True))
        held = rows.filter(pl.Series(ambiguous))
        self._waiting_raw |= {number: raw_row(number) for number in held["row_number"].to_list()}
        self._waiting = pl.concat([self._waiting, held])
        decided = self._follow(rows, local & ~skipped, ambiguous)
        if len(self._waiting) > MOST_WAITING:
            decided |= self._hours.finish()
        settled = rows.with_columns(wall=pl.Series(walls - np.where(local, offsets.first, 0)))
        settled = settled.filter(pl.Series(~skipped & ~ambiguous))
        released = self._release(decided, rejected, known_raw)
        return pl.concat([settled, released]).sort("row_number") if len(released) else settled

    def _follow(self, rows: pl.DataFrame, local: np.ndarray, ambiguous: np.ndarray) -> dict[int, int | None]:
        rows = rows.select(*_SENSOR, "wall", "row_number", ambiguous=pl.Series(ambiguous)).filter(pl.Series(local))
        if not self._hours.is_waiting and not ambiguous.any():
            last = rows.group_by(_SENSOR).agg(pl.col("wall").last())
            self._hours.pass_by({row[:-1]: row[-1] for row in last.rows()})
            return {}
        sensors: list[Hashable] = list(rows.select(_SENSOR).rows())
        columns = (rows[name].to_list() for name in ("wall", "row_number", "ambiguous"))
        return self._hours.follow(sensors, *columns)

    def _release(
        self, decided: dict[int, int | None], rejected: list[RejectedReading], known_raw: dict[int, str]
    ) -> pl.DataFrame:
        """The held rows that are decided, in UTC; the undecidable ones go to `rejected`."""
        is_decided = pl.col("row_number").is_in(list(decided))
        rows, self._waiting = self._waiting.filter(is_decided), self._waiting.filter(~is_decided)
        walls = rows["wall"].to_numpy()
        offsets = self._clock.offsets(walls)
        passes = [decided[number] for number in rows["row_number"].to_list()]
        for number, wall, fold in zip(rows["row_number"].to_list(), walls.tolist(), passes, strict=True):
            raw = known_raw[number] = self._waiting_raw[number]
            if fold is None:
                rejected.append(self._refuse(number, Reason.AMBIGUOUS_HOUR, wall, raw, is_local=True))
        if known_raw is not self._waiting_raw:
            for number in decided:
                del self._waiting_raw[number]
        offset = np.where(np.array([fold == 1 for fold in passes], np.bool_), offsets.second, offsets.first)
        released = rows.with_columns(wall=pl.Series(walls - offset, dtype=pl.Int64))
        return released.filter(pl.Series([fold is not None for fold in passes], dtype=pl.Boolean))

    def _batch(self, settled: pl.DataFrame, rejected: list[RejectedReading], raw_row: RawRow) -> ParsedBatch:
        is_possible = settled["wall"].is_between(EARLIEST_US, self._latest_us)
        if not is_possible.all():
            for number, wall in settled.filter(~is_possible).select("row_number", "wall").rows():
                reason = Reason.TOO_OLD if wall < EARLIEST_US else Reason.FUTURE_TIME
                rejected.append(self._refuse(number, reason, wall, raw_row(number)))
            settled = settled.filter(is_possible)
        recorded_at = pl.col("wall").cast(pl.Datetime("us", "UTC")).alias("recorded_at")
        return ParsedBatch(
            readings=settled.with_columns(recorded_at).select(READING_SCHEMA.keys()),
            rejected=sorted(rejected, key=lambda each: each.row_number),
            units=describe_units(settled, self._rules),
            raw_row=raw_row,
            row_header=self._row_header,
        )

    def _refuse(self, number: int, reason: Reason, wall: int, raw: str, *, is_local: bool = False) -> RejectedReading:
        try:
            shown = f"{EPOCH + wall * MICROSECOND:%Y-%m-%d %H:%M:%S}" + ("" if is_local else " UTC")
        except OverflowError:  # beyond the calendar's years
            shown = f"{wall // 1_000_000} s since 1970"
        return RejectedReading(number, reason, sentence(reason, value=shown, zone=self._zone), raw)


def describe_units(rows: pl.DataFrame, rules: RowRules) -> dict[UnitKey, UnitDescription]:
    """Each unit in rows of CONVERTED_SCHEMA and what they say about it: of each fact the last that says anything."""
    place = pl.col("place")
    # Where every row says something, which is the rule, the unit's last row has the last word on it.
    gappy = [fact for fact, is_gappy in zip(UNIT_FACTS, _has_gaps(rows), strict=True) if is_gappy]
    last_words = [place.filter(pl.col(fact) != "").last().alias(fact) for fact in gappy]
    units = rows.with_row_index("place").group_by("facility_code", "unit_code").agg(place.last(), *last_words)
    units = units.sort("place")
    said = {fact: rows[fact].gather(units[fact if fact in gappy else "place"]).to_list() for fact in UNIT_FACTS}
    said["scale"] = rows["scale"].gather(units["place"]).to_list()
    facts = (dict(zip(said, words, strict=True)) for words in zip(*said.values(), strict=True))
    keys = units.select("facility_code", "unit_code").rows()
    return {key: _describe(key, unit, rules) for key, unit in zip(keys, facts, strict=True)}


def _has_gaps(rows: pl.DataFrame) -> tuple[bool, ...]:
    return rows.select((pl.col(UNIT_FACTS) == "").any()).row(0)


def _describe(key: UnitKey, unit: dict[str, str | None], rules: RowRules) -> UnitDescription:
    return UnitDescription(
        facility_code=key[0],
        unit_code=key[1],
        unit_name=clean_text(unit["unit_name"]),
        facility_name=clean_text(unit["facility_name"]),
        city=clean_text(unit["city"]),
        country=clean_text(unit["country"]),
        set_temperature=_finite(unit["set_temperature"], rules),
        temperature_unit=unit["scale"],
        size_value=_finite(unit["size"], rules),
        size_unit=clean_text(unit["size_unit"], _SIZE_UNIT_LIMIT),
    )


def clean_text(text: str | None, limit: int = _TEXT_LIMIT) -> str | None:
    """A name as it can be kept: without control characters, at most `limit` characters; None if nothing is left."""
    return NOT_TEXT.sub("", text or "").strip()[:limit] or None


def _finite(text: str | None, rules: RowRules) -> float | None:
    number = read_number(text, rules)
    return number if number is not None and abs(number) < float("inf") else None


def end_with(batches: Iterable[ParsedBatch], finish: Callable[[], ParsedBatch]) -> Iterator[ParsedBatch]:
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
