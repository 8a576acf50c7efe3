"""The buckets of a series: its points, and an empty one in each gap between two of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from readings.series.downsample import DownsampledSeries
from readings.storage.reading_batch import instants_of, microseconds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


Number = TypeVar("Number", bound=np.generic)


class Buckets(NamedTuple):
    """Buckets as columns of equal length, in order of time; NaN for no temperature.

    An object for each of a year's buckets would take most of the time of a request.
    """

    middle_us: NDArray[np.int64]
    min_c: NDArray[np.float64]
    average_c: NDArray[np.float64]
    max_c: NDArray[np.float64]
    reading_count: NDArray[np.int64]

    def middles(self) -> list[datetime]:
        """Return the times at which to draw the buckets."""
        return instants_of(self.middle_us)


def buckets_of(series: DownsampledSeries, max_buckets: int) -> Buckets:
    """Return the buckets of a series of at most `max_buckets` points.

    A gap between two points takes a bucket of its own, the longest first if there is no room for all, so that a line
    drawn through the buckets breaks there.
    """
    breaks = sorted(series.breaks(), key=lambda gap: gap.start - gap.end)[: max_buckets - len(series)]
    middle_us = np.append(series.middle_us, np.array([microseconds_of(gap.middle) for gap in breaks], np.int64))
    in_order = np.argsort(middle_us, kind="stable")

    def extended(column: NDArray[Number], empty: float) -> NDArray[Number]:
        return np.append(column, np.full(len(breaks), empty, column.dtype))[in_order]

    return Buckets(
        middle_us[in_order],
        extended(series.min_c, np.nan),
        extended(series.average_c, np.nan),
        extended(series.max_c, np.nan),
        extended(series.reading_count, 0),
    )
