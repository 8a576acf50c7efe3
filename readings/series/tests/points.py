"""The points of a series one by one, as tests compare them.

The site and the REST API take a series by its columns; see `readings.series.downsample`.
"""

from __future__ import annotations

from datetime import datetime
from math import isnan
from typing import NamedTuple

from readings.series.downsample import DownsampledSeries
from readings.storage.reading_batch import instant_of


class Point(NamedTuple):
    """The readings of one interval, from `first_at` to `last_at`.

    The temperatures are None where no sensor gave a measurement; average_c is weighted by count.
    """

    first_at: datetime
    last_at: datetime
    middle_at: datetime
    min_c: float | None
    average_c: float | None
    max_c: float | None
    reading_count: int
    fault_count: int


def points_of(series: DownsampledSeries) -> list[Point]:
    """Return the points in order of time."""
    instants = (map(instant_of, us.tolist()) for us in (series.first_us, series.last_us, series.middle_us))
    temperatures = (map(_or_none, column.tolist()) for column in (series.min_c, series.average_c, series.max_c))
    counts = (series.reading_count.tolist(), series.fault_count.tolist())
    return [Point(*each) for each in zip(*instants, *temperatures, *counts, strict=True)]


def _or_none(number: float) -> float | None:
    return None if isnan(number) else number
