"""The measures of a roll-up, defined once: column lists, SQL and sums in Python follow from the fields of `Totals`.

Adding a measure takes a field here, a column of `readings.models.Rollup` and its migration.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from readings.models import EquipmentStatus
from readings.storage.time_weighting import mean_kinetic_temperature_c

GOOD_QUALITY = 0.8
# Temperatures are summed in ninths of a millionth of a degree Celsius. In these, what was sent in °C, °F or K with up
# to six decimals is a whole number, so that sums are exact in any order.
NINTH_MICRO = 9_000_000


@dataclass(slots=True)
class Totals:
    """Sums of readings: the measures of a roll-up, see `readings.models.Rollup`. The means are None without any.

    `sql` computes a field from readings. Fields without it depend on neighbouring readings.
    """

    reading_count: int = field(default=0, metadata={"sql": "count(*)"})
    fault_count: int = field(default=0, metadata={"sql": "count(*) - count(temperature_c)"})
    normal_count: int = field(
        default=0, metadata={"sql": f"count(*) FILTER (WHERE equipment_status_id = {EquipmentStatus.NORMAL})"}
    )
    warning_count: int = field(
        default=0, metadata={"sql": f"count(*) FILTER (WHERE equipment_status_id = {EquipmentStatus.WARNING})"}
    )
    error_count: int = field(
        default=0, metadata={"sql": f"count(*) FILTER (WHERE equipment_status_id = {EquipmentStatus.ERROR})"}
    )
    good_count: int = field(default=0, metadata={"sql": f"count(*) FILTER (WHERE quality_score >= {GOOD_QUALITY})"})
    min_c: float | None = field(default=None, metadata={"sql": "min(temperature_c)"})
    max_c: float | None = field(default=None, metadata={"sql": "max(temperature_c)"})
    sum_ninth_micro_c: int = field(
        default=0, metadata={"sql": f"coalesce(sum((temperature_c * {NINTH_MICRO})::bigint), 0)::bigint"}
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
_SUMMED = tuple(each.name for each in fields(Totals) if each.name not in _EXTREMES)
# Those that depend on neighbouring readings and are refreshed later.
WEIGHTS = tuple(each.name for each in fields(Totals) if not each.metadata)

# Columns of the measures that are exact as soon as readings are stored.
COUNT_COLUMNS = ", ".join(_SQL)
WEIGHT_COLUMNS = ", ".join(WEIGHTS)
# Values of a row without readings.
NO_COUNTS = ", ".join("NULL" if name in _EXTREMES else "0" for name in _SQL)
NO_WEIGHTS = ", ".join("0" for _ in WEIGHTS)
# Aggregates over readings, and over rows that have the columns already.
COUNTS_OF_READINGS = ",\n        ".join(f"{sql} AS {name}" for name, sql in _SQL.items())
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


def weight_sums(order: str, rows: str = "") -> str:
    """Return SQL sums of the weights, in a fixed order, so that the same readings give the same digits.

    rows: the relation that has the columns, if the name alone is ambiguous.
    """
    qualifier = f"{rows}." if rows else ""
    return ",\n        ".join(f"sum({qualifier}{name} ORDER BY {order}) AS {name}" for name in WEIGHTS)
