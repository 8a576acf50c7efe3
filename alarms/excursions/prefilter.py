"""Which units of a batch need more than a glance: nearly none, nearly always.

A unit whose new readings are all within its limits, with no excursion near them, stays as it is. That is found out for
a whole batch with one query and a few operations on its columns, so that judging costs storing next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection

from alarms.thresholds import ROUNDING_K, SensorPolicy
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.store import Span
from readings.storage.time_weighting import STALENESS_LIMIT


class UnitFacts(NamedTuple):
    """What is known of a unit before its readings are looked at. `low_c`, `high_c`: beyond them is outside.

    valid_from: since when its limits are in force; None: it has no version yet. is_near: an excursion lasts, or lies
    at the new readings.
    """

    unit_id: int
    low_c: float | None
    high_c: float | None
    is_inclusive: bool
    valid_from: datetime | None
    sensor_policy: str | None
    has_mkt_limit: bool
    is_near: bool
    has_fault: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """What a glance at a batch shows: ids of units with a temperature outside, and with one that is missing."""

    outside: frozenset[int]
    without_measurement: frozenset[int]


# The limits that the unit itself shows are those of its newest version. The two searches for excursions have an index
# each.
FACTS = f"""
SELECT unit.id, coalesce(unit.low_warning_c, unit.low_critical_c), coalesce(unit.high_warning_c, unit.high_critical_c),
    unit.is_limit_outside, version.valid_from, version.sensor_policy, version.mkt_limit_c IS NOT NULL,
    EXISTS (SELECT FROM excursion WHERE storage_unit_id = unit.id AND ended_at IS NULL AND kind <> 'mkt')
    OR EXISTS (
        SELECT FROM excursion WHERE storage_unit_id = unit.id AND clears_at >= span.first AND kind <> 'mkt'
            AND started_at <= span.last + {STALENESS_LIMIT}
    ),
    EXISTS (SELECT FROM sensor_fault WHERE storage_unit_id = unit.id)
FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) AS span (unit_id, first, last)
JOIN storage_unit AS unit ON unit.id = span.unit_id
LEFT JOIN LATERAL (
    SELECT valid_from, sensor_policy, mkt_limit_c FROM limit_version
    WHERE storage_unit_id = unit.id ORDER BY valid_from DESC LIMIT 1
) AS version ON true
ORDER BY unit.id
"""  # noqa: S608  names of ours, no input


def facts_of(new_spans: Mapping[int, Span]) -> list[UnitFacts]:
    """The facts of the units in `new_spans`, by id. One query."""
    parameters: dict[str, Any] = {
        "unit_ids": list(new_spans),
        "firsts": [span.first for span in new_spans.values()],
        "lasts": [span.last for span in new_spans.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(FACTS, parameters)
        return [UnitFacts(*row) for row in cursor.fetchall()]


def suspects(facts: list[UnitFacts], new_spans: Mapping[int, Span], glance: Glance) -> list[int]:
    """The ids of the units whose excursions the new readings may change."""
    return [
        each.unit_id
        for each in facts
        if each.is_near
        or each.unit_id in glance.outside
        # Readings that are all within their limits can have a mean outside with others that came before.
        or each.sensor_policy == SensorPolicy.MEAN
        # Readings of before the newest version are judged by an older one.
        or each.valid_from is None
        or new_spans[each.unit_id].first < each.valid_from
    ]


def glance_at(columns: ReadingBatch, facts: list[UnitFacts], new_spans: Mapping[int, Span]) -> Glance:
    """Look at the rows of `columns` that lie in their unit's span of new readings."""
    ids = np.array([each.unit_id for each in facts])
    spans = [new_spans[each.unit_id] for each in facts]
    firsts = np.array([microseconds_of(span.first) for span in spans])
    lasts = np.array([microseconds_of(span.last) for span in spans])
    place = np.minimum(np.searchsorted(ids, columns.storage_unit_id), len(ids) - 1)
    recorded_at, temperature_c = columns.recorded_at_us, columns.temperature_c
    is_new = (ids[place] == columns.storage_unit_id) & (recorded_at >= firsts[place]) & (recorded_at <= lasts[place])
    low, high = _bounds(facts)
    is_outside = (temperature_c < low[place]) | (temperature_c > high[place])
    return Glance(_ids_at(ids, place[is_new & is_outside]), _ids_at(ids, place[is_new & np.isnan(temperature_c)]))


def _bounds(facts: list[UnitFacts]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Beyond which temperatures each unit is outside; see `Limits.severity_of` for the rounding."""
    margins = np.array([-ROUNDING_K if each.is_inclusive else ROUNDING_K for each in facts])
    low = np.array([-np.inf if each.low_c is None else each.low_c for each in facts])
    high = np.array([np.inf if each.high_c is None else each.high_c for each in facts])
    return low - margins, high + margins


def _ids_at(ids: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> frozenset[int]:
    return frozenset(ids[np.unique(places)].tolist())
