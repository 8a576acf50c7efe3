"""The filters of every list of readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from core.db.prepared import Parameters
from readings.time_ranges import DAY, MICROSECOND, TimeRange

# No reading is older, and none is further ahead: see ingestion.parsing.batches.
EARLIEST = datetime(1999, 12, 31, tzinfo=UTC)
# Allows for rounding where a limit in one scale is compared with readings sent in another.
_TOLERANCE_C = 1e-9


@dataclass(frozen=True, slots=True)
class ReadingFilter:
    """The filter of a list; None and "" mean no condition. Both instants are inclusive. `sensor` is a sensor code."""

    start: datetime | None = None
    end: datetime | None = None
    min_c: float | None = None
    max_c: float | None = None
    quality_score: float | None = None
    min_quality_score: float | None = None
    equipment_status: str = ""
    sensor: str | None = None

    @property
    def has_only_times(self) -> bool:
        """Whether the roll-ups can count the rows."""
        return self == ReadingFilter(self.start, self.end)

    @property
    def is_empty(self) -> bool:
        """Whether there is no condition."""
        return self == ReadingFilter()

    def time_range(self) -> TimeRange:
        """Return the period, limited to when there can be readings."""
        latest = timezone.now() + 2 * DAY
        start = min(max(self.start or EARLIEST, EARLIEST), latest)
        end = min(self.end + MICROSECOND, latest) if self.end else latest
        return TimeRange(start, max(start, end))

    def conditions(self, unit: str) -> tuple[str, Parameters]:
        """Return SQL conditions on `reading` except the period, each preceded by AND, and their parameters.

        `unit` is the expression of the unit's id.
        """
        options: list[tuple[str, str, object]] = [
            ("temperature_c >= %(min_c)s", "min_c", None if self.min_c is None else self.min_c - _TOLERANCE_C),
            ("temperature_c <= %(max_c)s", "max_c", None if self.max_c is None else self.max_c + _TOLERANCE_C),
            ("quality_score = %(quality_score)s", "quality_score", self.quality_score),
            ("quality_score >= %(min_quality_score)s", "min_quality_score", self.min_quality_score),
            (
                "equipment_status_id = (SELECT id FROM equipment_status WHERE name = %(status)s)",
                "status",
                self.equipment_status or None,
            ),
            (
                f"sensor_id = (SELECT id FROM sensor WHERE storage_unit_id = {unit} AND sensor_code = %(sensor)s)",  # noqa: S608
                "sensor",
                self.sensor,
            ),
        ]
        given = [(sql, name, value) for sql, name, value in options if value is not None]
        return "".join(f" AND {sql}" for sql, _, _ in given), {name: value for _, name, value in given}
