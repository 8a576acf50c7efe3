"""Find rows of devices whose clocks were reset: in January 2000, or years before the other rows of a body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.results import READING_SCHEMA, ParsedBatch, UnitKey
from ingestion.parsing.values.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds

_YEAR_DAYS = 365
# When the clocks of devices start that have lost their time, besides dates before the year 2000.
_FACTORY_START, _FACTORY_END = (microseconds(datetime(2000, month, 1, tzinfo=UTC)) for month in (1, 2))
# Rows years before the others come from a reset clock if they are few, rows a year before them if they also begin on
# the first of January, as clocks do.
_MAX_SHARE_APART = 0.2
_FEW = 10
# No zone is further ahead of UTC.
_MOST_AHEAD_US = 14 * 3_600_000_000
_HOUR_US = 3_600_000_000
_LATE_IN_HOUR_US = 50 * 60_000_000
# No row may be dated further ahead, so rows that are not old have no gap of a year between them.
_NOT_OLD = timedelta(days=_YEAR_DAYS - 1)
UNIT = ["facility_code", "unit_code"]


class ResetClocks:
    """Tells which rows of a body come from reset clocks.

    `begins_at` (in microseconds since 1970) is when the right rows of the body begin, None if that is to be found in
    each batch. `has_old`: a batch had rows that are a year old, which only the whole body shows to be right. `per_day`
    is the number of rows of each day since 1970 so far; those of a batch without old rows count for its first day.
    """

    def __init__(self, received_at: datetime, begins_at: int | None = None) -> None:
        self.has_old = False
        self.per_day = np.zeros(0, np.int64)
        self._old_before = microseconds(received_at - _NOT_OLD)
        self._begins_at = begins_at

    def find(self, walls: NDArray[np.int64]) -> tuple[NDArray[np.bool_], str]:
        """Return which times (in microseconds since 1970) come from a reset clock, and a clause that says why."""
        if not len(walls) or (first := walls.min()) >= self._old_before:
            if len(walls):
                self.per_day = _sum(self.per_day, np.bincount([first // DAY_US], [len(walls)]).astype(np.int64))
            return np.zeros(len(walls), np.bool_), ""
        self.has_old = True
        per_day = _per_day(walls)
        self.per_day = _sum(self.per_day, per_day)
        is_factory = (walls >= _FACTORY_START) & (walls < _FACTORY_END)
        begins_at = _start_of_others(per_day) if self._begins_at is None else self._begins_at
        is_reset = is_factory | (walls < begins_at)
        if not is_reset.any():
            return is_reset, ""
        return is_reset, "in January 2000" if is_factory[is_reset].all() else "years before that of the other rows"


def compared_as_a_whole(
    parse: Callable[[ResetClocks], Iterator[ParsedBatch]], received_at: datetime
) -> Iterator[ParsedBatch]:
    """Yield the batches of a body that `parse` returns, in which old rows were compared with all rows of the body.

    A body of several batches is read to its end at its first old row, and parsed again; most bodies have none.
    """
    clocks = ResetClocks(received_at)
    batches = parse(clocks)
    complete = 0
    previous = next(batches)
    recent: set[UnitKey] = set()
    for batch in batches:
        if clocks.has_old:
            break
        recent |= previous.units.keys()
        yield previous
        previous = batch
        complete += 1
    else:
        yield previous
        return
    spans = [spans_of_units(each.readings) for each in chain([previous, batch], batches)]
    spans_of_body = _merged([_spans_at(received_at, recent), *spans])
    for batch in islice(parse(ResetClocks(received_at, _start_of_others(clocks.per_day))), complete, None):
        batch.spans_of_units = spans_of_body
        yield batch


def spans_of_units(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the times of the oldest and the newest reading of each unit."""
    recorded_at = pl.col("recorded_at")
    return readings.group_by(UNIT).agg(oldest=recorded_at.min(), newest=recorded_at.max())


def _spans_at(at: datetime, units: Iterable[UnitKey]) -> pl.DataFrame:
    schema = {name: READING_SCHEMA[name] for name in UNIT}
    return pl.DataFrame(list(units), schema, orient="row").with_columns(
        oldest=pl.lit(at, READING_SCHEMA["recorded_at"]), newest=pl.lit(at, READING_SCHEMA["recorded_at"])
    )


def _merged(spans: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(spans).group_by(UNIT).agg(pl.col("oldest").min(), pl.col("newest").max())


def begins_like_reset_clock(wall: int) -> bool:
    """Return whether a time is when clocks begin that were reset: on the first of January, in some zone.

    In zones ahead of UTC, it is not long after a full hour: one second before the end of a year is no midnight.
    """
    return _is_first_of_january(wall) or (
        wall % _HOUR_US < _LATE_IN_HOUR_US and _is_first_of_january(wall + _MOST_AHEAD_US)
    )


def _is_first_of_january(wall: int) -> bool:
    at = EPOCH + wall * MICROSECOND
    return (at.month, at.day) == (1, 1)


def _is_new_year(day: int) -> bool:
    """Return whether a day since 1970 is the first of January, in UTC or a zone ahead of it."""
    return _is_first_of_january(day * DAY_US) or _is_first_of_january((day + 1) * DAY_US)


def _per_day(walls: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of rows of each day since 1970, without those of factory dates."""
    is_right = (walls < _FACTORY_START) | (walls >= _FACTORY_END)
    return np.bincount(walls[is_right] // DAY_US)


def _sum(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.zeros(max(len(first), len(second)), np.int64)
    total[: len(first)] += first
    total[: len(second)] += second
    return total


def _start_of_others(per_day: NDArray[np.int64]) -> int:
    """Return from when on times are right: after the last long gap behind which there are few rows."""
    days = np.flatnonzero(per_day)
    counts = np.cumsum(per_day[days])
    for gap in np.flatnonzero(np.diff(days) > _YEAR_DAYS)[::-1].tolist():
        count, total = int(counts[gap]), int(counts[-1])
        is_few = count <= _MAX_SHARE_APART * total or (count < _FEW and 2 * count < total)
        is_far = days[gap + 1] - days[gap] > 2 * _YEAR_DAYS
        if is_few and (is_far or _is_new_year(int(days[0]))):
            return int(days[gap + 1]) * DAY_US
    return 0
