"""What the readings of a batch add to the roll-ups, and which of them are late or their unit's latest, by NumPy.

The counterpart of the statements that `readings.storage.store_sql` builds around QUARTERS: the rows are the same, so
that readings are stored alike whichever of them computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from readings.storage.closing import CLOSES_AFTER
from readings.storage.local_days import days_of_us
from readings.storage.measures import counts_of_groups
from readings.storage.reading_batch import (
    Column,
    ReadingBatch,
    Rows,
    begins_of_groups,
    ends_of_groups,
    microseconds_of,
)

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_CLOSES_AFTER_US = int(CLOSES_AFTER.total_seconds()) * 1_000_000
_NEVER = np.iinfo(np.int64).max

UnitIds = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]
# Returns the period, as a number since 1970, in which an instant of a unit lies.
PeriodOf: TypeAlias = Callable[[UnitIds, Numbers], Numbers]


@dataclass(frozen=True, slots=True)
class Locations:
    """Units in the order of their ids: where their days begin, and how long their readings remain valid."""

    unit_ids: UnitIds
    zones: list[ZoneInfo]
    staleness_limits_us: Numbers

    def valid_until_us(self, unit_ids: UnitIds, instants_us: Numbers) -> Numbers:
        """Return the last instant at which a reading can be valid."""
        limits: Numbers = self.staleness_limits_us[self._positions(unit_ids)]
        return instants_us + limits - 1

    def hours(self, _unit_ids: UnitIds, instants_us: Numbers) -> Numbers:
        """Return the hours in which the instants lie."""
        return instants_us // HOUR_US

    def local_days(self, unit_ids: UnitIds, instants_us: Numbers) -> Numbers:
        """Return the local days of the units in which the instants lie."""
        zones = list(dict.fromkeys(self.zones))
        zone_numbers = np.array([zones.index(zone) for zone in self.zones])[self._positions(unit_ids)]
        local_days = np.empty(len(instants_us), np.int64)
        for number, zone in enumerate(zones):
            is_here = zone_numbers == number
            local_days[is_here] = days_of_us(instants_us[is_here], zone)
        return local_days

    def _positions(self, unit_ids: UnitIds) -> Rows:
        return np.searchsorted(self.unit_ids, unit_ids)


@dataclass(frozen=True, slots=True)
class RollupRows:
    """Rows to add to a roll-up, by column. `period` is an hour or a local day, as a number since 1970."""

    storage_unit_id: Column
    sensor_id: Column
    period: Numbers
    measures: dict[str, Column]


def rollup_rows(batch: ReadingBatch, locations: Locations, period_of: PeriodOf) -> RollupRows:
    """Return a row of each sensor and period with readings, and one of zeros for those they only remain valid in.

    The readings are in order of unit, sensor and time.
    """
    period = period_of(batch.storage_unit_id, batch.recorded_at_us)
    begins = begins_of_groups(batch.storage_unit_id, batch.sensor_id, period)
    first, last = batch.take(begins), batch.take(ends_of_groups(begins, len(batch)))
    valid_until_us = locations.valid_until_us(last.storage_unit_id, last.recorded_at_us)
    # What the sensor's next readings reach contains what these reach beyond them.
    following = np.append(period[begins][1:], _NEVER)
    following[ends_of_groups(begins_of_groups(first.storage_unit_id, first.sensor_id), len(begins))] = _NEVER
    reached = np.minimum(period_of(last.storage_unit_id, valid_until_us), following - 1) - period[begins]
    group = np.repeat(np.arange(len(begins)), reached)
    number = np.arange(len(group)) - np.repeat(np.cumsum(reached) - reached, reached)
    return RollupRows(
        np.append(first.storage_unit_id, first.storage_unit_id[group]),
        np.append(first.sensor_id, first.sensor_id[group]),
        np.append(period[begins], period[begins][group] + 1 + number),
        {
            name: np.append(values, np.full(len(group), np.nan if values.dtype.kind == "f" else 0, values.dtype))
            for name, values in counts_of_groups(batch, begins).items()
        },
    )


def late_days(batch: ReadingBatch, arrived_at: datetime) -> tuple[Column, Numbers, Numbers]:
    """Return unit, day of UTC since 1970, and number of the readings that arrived when their day was closed.

    The readings are in order of unit and time. See `readings.storage.closing`.
    """
    day = batch.recorded_at_us // DAY_US
    late = np.flatnonzero((day + 1) * DAY_US + _CLOSES_AFTER_US <= microseconds_of(arrived_at))
    unit_ids, day = batch.storage_unit_id[late], day[late]
    begins = begins_of_groups(unit_ids, day)
    return unit_ids[begins], day[begins], np.diff(np.append(begins, len(late)))


def latest_of_units(batch: ReadingBatch) -> Rows:
    """Return the index of the latest reading of each unit, that of the first sensor if there are several.

    The readings are in order of unit, time and sensor.
    """
    instants = begins_of_groups(batch.storage_unit_id, batch.recorded_at_us)
    return instants[ends_of_groups(begins_of_groups(batch.storage_unit_id[instants]), len(instants))]
