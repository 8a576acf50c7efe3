"""A reference implementation of the measures, computed naively from a list of readings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from readings.storage.reading_batch import ReadingRow
from readings.storage.time_weighting import arrhenius


@dataclass
class ReferenceSeries:
    """Readings of one unit, and how long each of them is valid."""

    readings: list[ReadingRow]
    staleness_limit: timedelta

    def validity(self) -> list[tuple[datetime, datetime, float, int]]:
        """Return (valid from, valid until, temperature, sensor id) of each measurement."""
        by_sensor = defaultdict(list)
        for reading in self.readings:
            by_sensor[reading.sensor_id].append(reading)
        periods = []
        for sensor_id, readings in by_sensor.items():
            readings.sort(key=lambda reading: reading.recorded_at)
            for reading, following in zip(readings, [*readings[1:], None], strict=True):
                until = reading.recorded_at + self.staleness_limit
                if following is not None:
                    until = min(until, following.recorded_at)
                if reading.temperature_c is not None:
                    periods.append((reading.recorded_at, until, reading.temperature_c, sensor_id))
        return periods

    def within(self, start: datetime, end: datetime) -> dict[str, float | None]:
        """Return the measures of this unit from `start` up to, but not including, `end`."""
        inside = [reading for reading in self.readings if start <= reading.recorded_at < end]
        measured = [reading.temperature_c for reading in inside if reading.temperature_c is not None]
        valid = [
            (max(since, start), min(until, end), temperature_c)
            for since, until, temperature_c, _ in self.validity()
            if max(since, start) < min(until, end)
        ]
        weights = [((until - since).total_seconds(), temperature_c) for since, until, temperature_c in valid]
        return {
            "reading_count": len(inside),
            "fault_count": len(inside) - len(measured),
            "min_c": min(measured, default=None),
            "max_c": max(measured, default=None),
            "sum_ninth_micro_c": sum(round(temperature_c * 9e6) for temperature_c in measured),
            "weighted_seconds": sum(seconds for seconds, _ in weights),
            "weighted_sum_c": sum(seconds * temperature_c for seconds, temperature_c in weights),
            "weighted_arrhenius": sum(seconds * arrhenius(temperature_c) for seconds, temperature_c in weights),
            "covered_seconds": _union_seconds([(since, until) for since, until, _ in valid]),
        }


def _union_seconds(periods: list[tuple[datetime, datetime]]) -> float:
    total, covered_until = timedelta(0), None
    for since, until in sorted(periods):
        begins = since if covered_until is None else max(since, covered_until)
        if until > begins:
            total += until - begins
        covered_until = until if covered_until is None else max(covered_until, until)
    return total.total_seconds()
