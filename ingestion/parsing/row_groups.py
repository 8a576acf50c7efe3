"""The rows of a batch by their codes: what is looked up of them has few different values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

# Up to this number of rows a dictionary is faster than polars.
FEW_ROWS = 1_000

# The codes of facility, unit and sensor.
SensorKey = tuple[str | None, str, str]


class Codes(NamedTuple):
    """The values that the rows of a group have in common, in the columns of READING_SCHEMA."""

    facility_code: str | None
    unit_code: str
    sensor_code: str
    equipment_status: str
    scale: str

    @property
    def sensor_key(self) -> SensorKey:
        """The codes of the sensor."""
        return self[:3]


@dataclass(frozen=True, slots=True)
class RowGroups:
    """The groups in order of their first rows. of_rows: the number of each row's group."""

    codes: list[Codes]
    of_rows: NDArray[np.intp]

    @property
    def sensor_keys(self) -> list[SensorKey]:
        """The different sensors."""
        return list(dict.fromkeys(each.sensor_key for each in self.codes))

    @property
    def statuses(self) -> set[str]:
        """The different equipment statuses."""
        return {each.equipment_status for each in self.codes}


def row_groups(readings: pl.DataFrame) -> RowGroups:
    """Group rows that have READING_SCHEMA's columns."""
    if len(readings) <= FEW_ROWS:
        numbers: dict[tuple[str | None, ...], int] = {}
        columns = (readings[name].to_list() for name in Codes._fields)
        of_rows = [numbers.setdefault(row, len(numbers)) for row in zip(*columns, strict=True)]
        return RowGroups(list(map(Codes._make, numbers)), np.array(of_rows, np.intp))
    rows = readings.select(Codes._fields).with_row_index("position")
    groups = rows.group_by(Codes._fields, maintain_order=True).agg("position")
    sizes = groups["position"].list.len().to_numpy()
    numbers_of_rows = np.empty(len(readings), np.intp)
    numbers_of_rows[groups["position"].explode().to_numpy()] = np.repeat(np.arange(len(groups)), sizes)
    return RowGroups(list(map(Codes._make, groups.select(Codes._fields).iter_rows())), numbers_of_rows)
