"""Notice what readings are probably not: on this scale, measured rather than error codes, from the time they state."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from ingestion.parsing.values.rules import RowRules
from ingestion.parsing.values.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds
from readings.units.scales import from_celsius

# Numbers by which sensors and loggers report faults, on whatever scale; 85 °C is what a DS18B20 sends at power-on.
_ERROR_CODES = (
    -127.0, 127.9, 127.94, 127.9375, 127.99, 128.0, 255.0, 327.67, 327.68, 655.35, 850.0, 888.0, 888.8, 999.0, 999.9,
    -200.0, -242.02, -273.15, -99.0, -99.9, 99.9,
)  # fmt: skip
_POWER_ON_C = 85.0
_ADVICE = "If it reports a fault, add it to the error values."
# Where cold stores and rooms are: beyond it, the median of a body suggests another scale.
_USUAL_C = (-100.0, 60.0)
_YEARS_AGO_US = 2 * 365 * DAY_US
_HOUR_US = DAY_US // 24
# A clock of 12 hours is recognised by steps of up to 3 hours, and by jumps of 12 hours, give or take two such steps.
_LONGEST_STEP_US = 3 * _HOUR_US
_SHORTEST_JUMP_US = 12 * _HOUR_US - 2 * _LONGEST_STEP_US
_SENSOR = ["facility_code", "unit_code", "sensor_code"]


class PlausibilityChecks:
    """Collects what looks wrong in the readings of a body, and tells it in the notes."""

    def __init__(self, rules: RowRules, received_at: datetime, *, accepts_old_readings: bool) -> None:
        self._rules = rules
        self._accepts_old = accepts_old_readings
        self._received_us = microseconds(received_at)
        self._first = self._last = 0
        self._count = self._measured = 0
        self._unusual: tuple[float, str] | None = None
        self._has_other_hours = self._repeats_hours = False

    def add(self, rows: pl.DataFrame) -> None:
        """Check rows of CONVERTED_SCHEMA."""
        self._note_times(rows["wall"])
        self._count += len(rows)
        self._measured += len(rows) - rows["temperature_c"].null_count()
        celsius = rows["temperature_c"]
        lowest, highest = celsius.min(), celsius.max()
        if not isinstance(lowest, float) or not isinstance(highest, float):
            return
        if highest >= 29 or lowest <= -88:  # 85 and -127 on any scale
            self._check_error_codes(rows)
        if highest > _USUAL_C[1] or lowest < _USUAL_C[0]:
            self._check_scale(rows)

    def note_hours(self, rows: pl.DataFrame) -> None:
        """Look for local times of a clock of 12 hours in rows of CONVERTED_SCHEMA, in file order.

        None of them is before one or after 12:59, and where the clock begins again a sensor's time jumps back, or on
        where the newest row is first, by almost 12 hours within a day.
        """
        if self._has_other_hours or not rows["is_local"].any():
            return
        walls = rows["wall"].to_numpy()[rows["is_local"].to_numpy()]
        hours = walls // _HOUR_US % 24
        self._has_other_hours = bool(hours.min() < 1 or hours.max() > 12)
        if self._has_other_hours or self._repeats_hours or np.ptp(walls) < _SHORTEST_JUMP_US:
            return
        before = pl.col("wall").shift().over(_SENSOR)
        steps = (
            rows.filter("is_local")
            .select(step=(pl.col("wall") - before).abs(), is_same_day=pl.col("wall") // DAY_US == before // DAY_US)
            .drop_nulls()
        )
        typical = steps["step"].median()
        if isinstance(typical, float) and 0 < typical <= _LONGEST_STEP_US:
            is_jump = (12 * _HOUR_US - pl.col("step")).abs() <= 2 * typical
            self._repeats_hours = not steps.filter("is_same_day", is_jump).is_empty()

    def sentences(self) -> list[str]:
        """Return all notes on the body."""
        notes = self._rules.notes
        if self._count and notes.assumes_celsius:
            notes.tell("No scale is given: °C was assumed. Set the scale.")
        if self._count and not self._measured:
            notes.tell(
                "No row has a temperature. Check the temperature field, and whether a sheet has formulas without"
                " values."
            )
        if self._repeats_hours and not self._has_other_hours:
            notes.tell(
                "The times look like those of a clock of 12 hours without AM and PM, and were read as before noon."
                " Export them with AM and PM or with 24 hours."
            )
        if self._unusual:
            value, scale = self._unusual
            notes.tell(
                f"Temperatures around {value:g} {scale} are unusual for cold stores and rooms."
                " Check the scale, the factor and the offset."
            )
        if self._count and self._first < self._received_us - _YEARS_AGO_US:
            notes.tell(self._old_rows())
        return notes.sentences()

    def _old_rows(self) -> str:
        """Return the note on a body of which the oldest row is more than two years old."""
        oldest, newest = (f"{EPOCH + wall * MICROSECOND:%Y-%m-%d}" for wall in (self._first, self._last))
        if self._accepts_old:
            return f"Readings from {oldest} on were accepted, because the mapping accepts old readings."
        if self._last < self._received_us - _YEARS_AGO_US:
            return f"All rows are more than two years old, the newest from {newest}. Check the device's clock."
        return f"Some rows are more than two years old, the oldest from {oldest}. Check the device's clock."

    def _note_times(self, walls: pl.Series) -> None:
        first, last = walls.min(), walls.max()
        if isinstance(first, int) and isinstance(last, int):
            self._first = min(self._first, first) if self._count else first
            self._last = max(self._last, last) if self._count else last

    def _check_error_codes(self, rows: pl.DataFrame) -> None:
        rules = self._rules
        for (scale,), part in (
            rows.filter(pl.col("temperature_c").is_not_null()).partition_by("scale", as_dict=True).items()
        ):
            shown = from_celsius(part["temperature_c"].to_numpy(), str(scale))
            sent = np.round((shown - rules.offset) / rules.factor, 6)
            codes = (*_ERROR_CODES, _POWER_ON_C) if scale == "C" else _ERROR_CODES
            found, counts = np.unique(sent[np.isin(sent, codes)], return_counts=True)
            for code, count in zip(found.tolist(), counts.tolist(), strict=True):
                what = "a DS18B20's power-on value" if code == _POWER_ON_C else "a common error code"
                rules.notes.count(
                    f"reading is {code:g}, {what}", f"readings are {code:g}, {what}", f"{code:g}", _ADVICE, count=count
                )

    def _check_scale(self, rows: pl.DataFrame) -> None:
        for (scale,), part in rows.partition_by("scale", as_dict=True).items():
            median = part["temperature_c"].median()
            if isinstance(median, float) and not _USUAL_C[0] <= median <= _USUAL_C[1]:
                shown = float(from_celsius(median, str(scale)))
                self._unusual = (round(shown, 2), "K" if scale == "K" else f"°{scale}")
