"""The measures of a roll-up, defined once: column lists, SQL and sums in Python follow from the fields of `Totals`.

Adding a measure takes a field here, a column of `readings.models.Rollup` and its migration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from readings.models import EquipmentStatus
from readings.storage.reading_batch import ReadingBatch, Rows
from readings.storage.time_weighting import mean_kinetic_temperature_c

GOOD_QUALITY = 0.8
# Temperatures are summed in ninths of a millionth of a degree Celsius. In these, what was sent in °C, °F or K with up
# to six decimals is a whole number, so that sums are exact in any order.
NINTH_MICRO = 9_000_000


OfReadings: TypeAlias = Callable[[ReadingBatch], npt.NDArray[np.generic]]


Default = TypeVar("Default")


def _measure(default: Default, sql: str, array: OfReadings) -> Default:
    """Return a field that `sql` computes from readings, and that sums `array`, or is its extreme.

    `sql` is an aggregate over the readings of a `{condition}`.
    """
    return field(default=default, metadata={"sql": sql, "array": array})


def _count(of: str, array: OfReadings) -> int:
    return _measure(0, f"count(*) FILTER (WHERE {of} AND {{condition}})", array)


def _extreme(aggregate: str, array: OfReadings) -> float | None:
    return _measure(None, f"{aggregate}(temperature_c) FILTER (WHERE {{condition}})", array)


def _status_count(status_id: int) -> int:
    return _count(f"equipment_status_id = {status_id}", lambda batch: batch.equipment_status_id == status_id)


@dataclass(slots=True)
class Totals:
    """Sums of readings: the measures of a roll-up, see `readings.models.Rollup`. The means are None without any.

    `sql` computes a field from readings, `array` what it is the sum or extreme of, for each reading of a batch. Fields
    without them depend on neighbouring readings.
    """

    reading_count: int = _count("true", lambda batch: np.ones(len(batch), np.int64))
    fault_count: int = _count("temperature_c IS NULL", lambda batch: np.isnan(batch.temperature_c))
    normal_count: int = _status_count(EquipmentStatus.NORMAL)
    warning_count: int = _status_count(EquipmentStatus.WARNING)
    error_count: int = _status_count(EquipmentStatus.ERROR)
    good_count: int = _count(f"quality_score >= {GOOD_QUALITY}", lambda batch: batch.quality_score >= GOOD_QUALITY)
    min_c: float | None = _extreme("min", lambda batch: batch.temperature_c)
    max_c: float | None = _extreme("max", lambda batch: batch.temperature_c)
    sum_ninth_micro_c: int = _measure(
        0,
        f"coalesce(sum((temperature_c * {NINTH_MICRO})::bigint) FILTER (WHERE {{condition}}), 0)::bigint",
        # As PostgreSQL, NumPy rounds halves to even.
        lambda batch: np.rint(np.nan_to_num(batch.temperature_c) * NINTH_MICRO),
    )
    weighted_seconds: float = 0.0
    weighted_sum_c: float = 0.0
    weighted_arrhenius: float = 0.0
    covered_seconds: float = 0.0

    def add(self, other: Totals) -> None:
        """Add `other` to this: sums are added, extremes compared."""
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.min_c = min((t for t in (self.min_c, other.min_c) if t is not None), default=None)
        self.max_c = max((t for t in (self.max_c, other.max_c) if t is not None), default=None)

    @property
    def mean_c(self) -> float | None:
        """The mean weighted by time."""
        return self.weighted_sum_c / self.weighted_seconds if self.weighted_seconds > 0 else None

    @property
    def average_c(self) -> float | None:
        """The mean weighted by count."""
        measured = self.reading_count - self.fault_count
        return self.sum_ninth_micro_c / NINTH_MICRO / measured if measured else None

    @property
    def mkt_c(self) -> float | None:
        """The mean kinetic temperature."""
        return mean_kinetic_temperature_c(self.weighted_arrhenius, self.weighted_seconds)


def covered_share(covered_seconds: float, period_seconds: float) -> float:
    """Return the share of a period that is covered: 0 to 1, though a sum of seconds may exceed it by its rounding."""
    return min(covered_seconds / period_seconds, 1.0)


_EXTREMES = {"min_c": ("min", "least"), "max_c": ("max", "greatest")}
_SQL: dict[str, str] = {each.name: each.metadata["sql"] for each in fields(Totals) if each.metadata}
_ARRAYS: dict[str, OfReadings] = {each.name: each.metadata["array"] for each in fields(Totals) if each.metadata}
_SUMMED = tuple(each.name for each in fields(Totals) if each.name not in _EXTREMES)
# Those that depend on neighbouring readings and are refreshed later.
WEIGHTS = tuple(each.name for each in fields(Totals) if not each.metadata)

# The type of each of the former in PostgreSQL.
COUNT_TYPES = {name: "float8" if name in _EXTREMES else "bigint" if name.startswith("sum") else "int" for name in _SQL}

# Columns of the measures that are exact as soon as readings are stored.
COUNT_COLUMNS = ", ".join(_SQL)
WEIGHT_COLUMNS = ", ".join(WEIGHTS)
# Values of a row without readings.
NO_COUNTS = ", ".join("NULL" if name in _EXTREMES else "0" for name in _SQL)
NO_WEIGHTS = ", ".join("0" for _ in WEIGHTS)


def counts_of_readings(condition: str = "true") -> str:
    """Return the aggregates that compute the COUNT_COLUMNS from readings, those of a condition."""
    return ",\n        ".join(f"{sql.format(condition=condition)} AS {name}" for name, sql in _SQL.items())


COUNTS_OF_READINGS = counts_of_readings()
# Aggregates over rows that have the columns already.
COUNTS_OF_ROWS = ",\n        ".join(
    f"{_EXTREMES[name][0]}({name}) AS {name}" if name in _EXTREMES else f"sum({name})::bigint AS {name}"
    for name in _SQL
)
# Assignments that add an `excluded` row to the row of a `rollup` that it conflicts with.
ADD_EXCLUDED = ",\n        ".join(
    f"{name} = {_EXTREMES[name][1]}(rollup.{name}, excluded.{name})"
    if name in _EXTREMES
    else f"{name} = rollup.{name} + excluded.{name}"
    for name in _SQL
)


def counts_of_groups(batch: ReadingBatch, begins: Rows) -> dict[str, npt.NDArray[np.generic]]:
    """Return the COUNT_COLUMNS of groups of consecutive readings; the groups begin at these indexes.

    Extremes are NaN where nothing was measured.
    """
    reduce = {"min": np.fmin.reduceat, "max": np.fmax.reduceat}
    return {
        name: reduce[_EXTREMES[name][0]](array(batch), begins)
        if name in _EXTREMES
        else np.add.reduceat(array(batch).astype(np.int64), begins)
        for name, array in _ARRAYS.items()
    }


def weight_sums(order: str) -> str:
    """Return SQL sums of the weights, in a fixed order, so that the same readings give the same digits."""
    return ",\n        ".join(f"sum({name} ORDER BY {order}) AS {name}" for name in WEIGHTS)
