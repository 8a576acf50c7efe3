"""Find the candidates of a batch: the few units whose excursions new readings may change.

A unit whose new readings are all within its limits, with no excursion near them, needs no evaluation. One query and a
few column operations determine that for a whole batch, so that evaluation adds next to nothing to storing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alarms.thresholds import SensorPolicy
from core.db.prepared import Prepared
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.sql_arrays import instants, parameters_of, rows_sql
from readings.storage.store import NewSpan
from readings.storage.time_weighting import STALENESS_LIMIT
from readings.units.comparison import ROUNDING_K


class UnitSnapshot(NamedTuple):
    """What is known of a unit before its new readings are evaluated. Beyond `low_c` and `high_c` is outside.

    The limits are those in force at the readings, since `valid_from`, which is None without a version. has_mkt_limit:
    now or earlier. is_near: an excursion is ongoing, or lies at the readings. is_change_near: the limits changed among
    them, or so shortly before or after them that a reading is valid across the change. failed_parts: of its evaluation,
    which wait for a retry.
    """

    unit_id: int
    low_c: float | None
    high_c: float | None
    is_inclusive: bool
    valid_from: datetime | None
    sensor_policy: str | None
    has_mkt_limit: bool
    is_near: bool
    is_change_near: bool | None
    has_fault: bool
    failed_parts: list[str]

    @classmethod
    def unknown(cls, unit_id: int) -> UnitSnapshot:
        """Return the snapshot of a unit of which nothing is known, so that everything of it is evaluated."""
        return cls(unit_id, None, None, False, None, None, True, True, True, True, [])


@dataclass(frozen=True, slots=True)
class PrefilterResult:
    """The ids of units with a temperature outside, and with a missing one."""

    outside: frozenset[int]
    without_measurement: frozenset[int]


# Null without a budget; PostgreSQL's greatest ignores nulls.
LONGEST_BUDGET_WINDOW = """greatest(
    CASE WHEN allowed_seconds IS NOT NULL THEN allowed_window_seconds END,
    CASE WHEN high_allowed_seconds IS NOT NULL THEN high_allowed_window_seconds END,
    CASE WHEN low_allowed_seconds IS NOT NULL THEN low_allowed_window_seconds END
)"""
# Changed limits may be exceeded by what was measured before: by a reading that is still valid, and by the time outside
# within a budget's window, which the first readings after the change reveal. VERSION is in force before the first of
# the readings unless the limits changed among or soon after them.
IS_CHANGE_NEAR = """(
    span.first < version.valid_from + version.gap_limit
    OR version.budget_window_seconds IS NOT NULL AND EXISTS (
        SELECT FROM excursion WHERE storage_unit_id = unit.id AND kind = 'temperature'
            AND clears_at >= version.valid_from - make_interval(secs => version.budget_window_seconds)
    ) AND NOT EXISTS (
        SELECT FROM hourly_rollup WHERE storage_unit_id = unit.id AND reading_count > 0
            AND hour >= version.valid_from AND hour <= span.first - interval '1 hour'
    )
)"""
VERSION = f"""
SELECT valid_from, make_interval(secs => gap_limit_seconds) AS gap_limit, sensor_policy, is_inclusive,
    coalesce(low_warning_c, low_critical_c) AS low_c, coalesce(high_warning_c, high_critical_c) AS high_c,
    {LONGEST_BUDGET_WINDOW} AS budget_window_seconds
FROM limit_version
WHERE storage_unit_id = unit.id AND superseded_at IS NULL
    AND valid_from <= span.last + make_interval(secs => gap_limit_seconds)
ORDER BY valid_from DESC LIMIT 1"""  # noqa: S608  constants only
# Each of the two searches for excursions has an index.
SNAPSHOTS = Prepared(f"""
SELECT unit.id, version.low_c, version.high_c, version.is_inclusive, version.valid_from, version.sensor_policy,
    EXISTS (
        SELECT FROM limit_version
        WHERE storage_unit_id = unit.id AND superseded_at IS NULL AND mkt_limit_c IS NOT NULL
    ),
    EXISTS (SELECT FROM excursion WHERE storage_unit_id = unit.id AND ended_at IS NULL AND kind <> 'mkt')
    OR EXISTS (
        SELECT FROM excursion WHERE storage_unit_id = unit.id AND clears_at >= span.first AND kind <> 'mkt'
            AND started_at <= span.last + greatest(version.gap_limit, {STALENESS_LIMIT})
    ),
    {IS_CHANGE_NEAR},
    EXISTS (SELECT FROM sensor_fault WHERE storage_unit_id = unit.id),
    ARRAY(SELECT part FROM evaluation_failure WHERE storage_unit_id = unit.id)
FROM {rows_sql("span", {"unit_id": "int", "first": "timestamptz", "last": "timestamptz"})}
JOIN storage_unit AS unit ON unit.id = span.unit_id
LEFT JOIN LATERAL ({VERSION}
) AS version ON true
ORDER BY unit.id
""")  # noqa: S608  constants only


def unit_snapshots(new_spans: Mapping[int, NewSpan]) -> list[UnitSnapshot]:
    """Return the snapshots of the units in `new_spans`, by id. One query."""
    spans = {
        "unit_id": np.array([*new_spans], np.int32),
        "first": _instants([each.first for each in new_spans.values()]),
        "last": _instants([each.last for each in new_spans.values()]),
    }
    return [UnitSnapshot._make(row) for row in SNAPSHOTS.rows(parameters_of("span", spans))]


def candidates(snapshots: list[UnitSnapshot], prefiltered: PrefilterResult) -> list[int]:
    """Return the ids of the units whose excursions the new readings may change."""
    return [
        each.unit_id
        for each in snapshots
        if each.is_near
        or each.unit_id in prefiltered.outside
        # Readings that are all within the limits can have a mean outside together with earlier ones.
        or each.sensor_policy == SensorPolicy.MEAN
        # It is given limits first.
        or each.valid_from is None
        or each.is_change_near
        # Its failed evaluation is to include the new readings.
        or each.failed_parts
    ]


def prefilter(
    columns: ReadingBatch, snapshots: list[UnitSnapshot], new_spans: Mapping[int, NewSpan]
) -> PrefilterResult:
    """Check the rows of `columns` within their unit's span of new readings."""
    ids = np.array([each.unit_id for each in snapshots])
    position = np.minimum(np.searchsorted(ids, columns.storage_unit_id), len(ids) - 1)
    temperature_c = columns.temperature_c
    low, high = _bounds(snapshots)
    is_outside = (temperature_c < low[position]) | (temperature_c > high[position])
    is_missing = np.isnan(temperature_c)
    # Only these, usually none, need to be compared with the spans of new readings.
    rows = np.flatnonzero(is_outside | is_missing)
    if not len(rows):
        return PrefilterResult(frozenset(), frozenset())
    position = position[rows]
    spans = [new_spans[each.unit_id] for each in snapshots]
    firsts = np.array([microseconds_of(span.first) for span in spans])
    lasts = np.array([microseconds_of(span.last) for span in spans])
    recorded_at = columns.recorded_at_us[rows]
    is_new = (
        (ids[position] == columns.storage_unit_id[rows])
        & (recorded_at >= firsts[position])
        & (recorded_at <= lasts[position])
    )
    return PrefilterResult(
        _ids_at(ids, position[is_new & is_outside[rows]]), _ids_at(ids, position[is_new & is_missing[rows]])
    )


def _bounds(snapshots: list[UnitSnapshot]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the bounds of each unit; see `readings.units.comparison` for the rounding."""
    margins = np.array([-ROUNDING_K if each.is_inclusive else ROUNDING_K for each in snapshots])
    low = np.array([-np.inf if each.low_c is None else each.low_c for each in snapshots])
    high = np.array([np.inf if each.high_c is None else each.high_c for each in snapshots])
    return low - margins, high + margins


def _instants(instants_of_spans: Sequence[datetime]) -> npt.NDArray[np.datetime64]:
    return instants(np.array([microseconds_of(each) for each in instants_of_spans], np.int64))


def _ids_at(ids: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> frozenset[int]:
    return frozenset(ids[np.unique(positions)].tolist())
