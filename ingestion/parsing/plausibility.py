"""Notice what readings are probably not: on this scale, measured rather than error codes, from the time they state."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.values.rules import RowRules
from ingestion.parsing.values.timestamps import DAY_US, EPOCH, MICROSECOND, microseconds
from readings.units.scales import from_celsius

_YEAR_US = 365 * DAY_US
# When the clocks of devices start that have lost their time, besides dates before the year 2000.
_FACTORY_START, _FACTORY_END = (microseconds(datetime(2000, month, 1, tzinfo=UTC)) for month in (1, 2))
# Rows years before the others come from a reset clock if they are few, rows a year before them if they also begin on
# the first of January, as clocks do.
_MAX_SHARE_APART = 0.2
_FEW = 10
# Numbers by which sensors and loggers report faults, on whatever scale; 85 °C is what a DS18B20 sends at power-on.
_ERROR_CODES = (-127.0, 127.9, 127.99, 128.0, 255.0, 327.67, 327.68, 655.35, 850.0, 888.0, 888.8, 999.0, 999.9, -200.0)
_POWER_ON_C = 85.0
_LOWEST_ERROR = 85.0
_ADVICE = "If it reports a fault, add it to the error values."
# Where cold stores and rooms are: beyond it, the median of a body suggests another scale.
_USUAL_C = (-100.0, 60.0)


class ResetClocks:
    """Finds the times of devices whose clocks were reset: in January 2000, or years before the other rows of a body.

    Each batch is compared with the rows of the batches before it.
    """

    def __init__(self) -> None:
        self._lowest = self._count = 0

    def find(self, walls: NDArray[np.int64]) -> tuple[NDArray[np.bool_], str]:
        """Return which times (in microseconds since 1970) come from a reset clock, and a clause that says why."""
        is_factory = (walls >= _FACTORY_START) & (walls < _FACTORY_END)
        rest = walls[~is_factory]
        if not len(rest):
            return is_factory, "in January 2000"
        begins_at = self._start_of_others(np.sort(rest))
        is_reset = is_factory | (walls < begins_at)
        self._note(walls[~is_reset])
        if not is_reset.any():
            return is_reset, ""
        return is_reset, "in January 2000" if is_factory[is_reset].all() else "years before that of the other rows"

    def _start_of_others(self, ordered: NDArray[np.int64]) -> int:
        """Return from when on times are right: after the last long gap behind which there are few rows."""
        if self._count:
            # The rows of earlier batches are right, whatever their number.
            is_before = ordered < self._lowest
            before = np.append(ordered[is_before], self._lowest)
        else:
            is_before, before = np.ones(len(ordered), np.bool_), ordered
        gaps = np.flatnonzero(np.diff(before) >= _YEAR_US)
        total = self._count + len(ordered)
        for gap in gaps[::-1].tolist():
            count = gap + 1
            is_few = count <= _MAX_SHARE_APART * total or (count < _FEW and 2 * count < total)
            is_far = before[gap + 1] - before[gap] >= 2 * _YEAR_US or _is_first_of_january(int(before[0]))
            if is_few and is_far:
                return int(before[gap + 1])
        return int(ordered[0])

    def _note(self, right: NDArray[np.int64]) -> None:
        if not len(right):
            return
        lowest = int(right.min())
        self._lowest = min(self._lowest, lowest) if self._count else lowest
        self._count += len(right)


def _is_first_of_january(wall: int) -> bool:
    at = EPOCH + wall * MICROSECOND
    return (at.month, at.day) == (1, 1)


class PlausibilityChecks:
    """Collects what looks wrong in the readings of a body, and tells it in the notes."""

    def __init__(self, rules: RowRules) -> None:
        self._rules = rules
        self._count = 0
        self._unusual: tuple[float, str] | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Check rows of CONVERTED_SCHEMA."""
        self._count += len(rows)
        celsius = rows["temperature_c"]
        lowest, highest = celsius.min(), celsius.max()
        if not isinstance(lowest, float) or not isinstance(highest, float):
            return
        if highest >= 29 or lowest <= -88:  # 85 and -127 on any scale
            self._check_error_codes(rows)
        if highest > _USUAL_C[1] or lowest < _USUAL_C[0]:
            self._check_scale(rows)

    def sentences(self) -> list[str]:
        """Return all notes on the body."""
        notes = self._rules.notes
        if self._count and notes.assumes_celsius:
            notes.tell("No scale is given: °C was assumed. Set the scale.")
        if self._unusual:
            value, scale = self._unusual
            notes.tell(
                f"Temperatures around {value:g} {scale} are unusual for cold stores and rooms."
                " Check the scale, the factor and the offset."
            )
        return notes.sentences()

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
