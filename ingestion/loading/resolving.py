"""Give the readings of a parsed batch the ids of their units, sensors and statuses, and reject those without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, TypedDict, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from ingestion.loading.registration import Register, ResolvedSensor
from ingestion.parsing.rejection_reasons import Reason, message_for, unclear_facility
from ingestion.parsing.results import ParsedBatch, RejectedReading
from readings.equipment_statuses import status_ids
from readings.storage.reading_batch import ReadingBatch, microseconds_of

SCALE_BYTES = {"C": ord("C"), "F": ord("F"), "K": ord("K")}
# No id, and the time of retirement of sensors that are not retired.
NONE, NEVER_US = -1, np.iinfo(np.int64).max

_Number = TypeVar("_Number", bound=np.generic)
_Field = Literal["unit_code", "sensor_code", "equipment_status"]


class _UnresolvedRow(TypedDict):
    facility_code: str | None
    unit_code: str
    sensor_code: str
    equipment_status: str
    row_number: int
    recorded_at: datetime


def resolve(
    register: Register, batch: ParsedBatch, statuses: Mapping[str, int] | None = None
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Return the batch's readings with their ids, and rejections of those that can't be resolved.

    `statuses`: the ids of its equipment statuses, if they are known.
    """
    groups = batch.groups()
    resolved = register.resolve(groups.sensor_keys, batch.units)
    if statuses is None:
        statuses = status_ids(groups.statuses)
    found = [resolved[codes.sensor_key] for codes in groups.codes]
    sensors = [each if isinstance(each, ResolvedSensor) else None for each in found]

    def of_rows(values: Iterable[int], dtype: type[_Number]) -> npt.NDArray[_Number]:
        return np.fromiter(values, dtype, len(found))[groups.of_rows]

    unit_ids = of_rows((each.storage_unit_id if each else NONE for each in sensors), np.int32)
    sensor_ids = of_rows((each.sensor_id if each else NONE for each in sensors), np.int32)
    equipment_status_ids = of_rows((statuses.get(each.equipment_status, NONE) for each in groups.codes), np.int16)
    scale_bytes = of_rows((SCALE_BYTES[each.scale] for each in groups.codes), np.uint8)
    # Not by an expression: planning one takes 0.1 ms or more, and most deliveries have a few rows.
    readings = batch.readings.hstack(
        [
            pl.Series("storage_unit_id", unit_ids),
            pl.Series("sensor_id", sensor_ids),
            pl.Series("equipment_status_id", equipment_status_ids),
            pl.Series("scale_byte", scale_bytes),
        ]
    )
    retired_us = of_rows((_retired_us(each) for each in sensors), np.int64)
    is_storable = (
        (unit_ids != NONE)
        & (equipment_status_ids != NONE)
        & (readings["recorded_at"].to_numpy().view(np.int64) < retired_us)
    )
    if is_storable.all():
        return readings, []
    unresolved = cast("Iterator[_UnresolvedRow]", readings.filter(pl.Series(~is_storable)).iter_rows(named=True))
    numbers = groups.of_rows[~is_storable].tolist()
    facility_code = register.default_facility_code
    rejected = (
        _rejected(row, found[number], batch, facility_code) for row, number in zip(unresolved, numbers, strict=True)
    )
    # Once, however many temperatures a row has.
    return readings.filter(pl.Series(is_storable)), list(dict.fromkeys(rejected))


def _retired_us(sensor: ResolvedSensor | None) -> int:
    return NEVER_US if sensor is None or sensor.retired_at is None else microseconds_of(sensor.retired_at)


def _rejected(
    row: _UnresolvedRow, found: ResolvedSensor | Reason, batch: ParsedBatch, default_facility_code: str
) -> RejectedReading:
    reason = found if isinstance(found, Reason) else _reason_despite_ids(row, found)
    message = _message(row, reason, row["facility_code"] or default_facility_code)
    return RejectedReading(row["row_number"], reason, message, batch.raw_row(row["row_number"]))


def _message(row: _UnresolvedRow, reason: Reason, facility_code: str) -> str:
    if reason is Reason.UNKNOWN_FACILITY:
        return message_for(reason, value=facility_code) if facility_code else unclear_facility(row["unit_code"])
    fields: dict[Reason, _Field] = {
        Reason.UNKNOWN_SENSOR: "sensor_code",
        Reason.RETIRED_SENSOR: "sensor_code",
        Reason.TOO_MANY_STATUSES: "equipment_status",
    }
    return message_for(reason, value=row[fields.get(reason, "unit_code")])


def _reason_despite_ids(row: _UnresolvedRow, sensor: ResolvedSensor) -> Reason:
    is_retired = sensor.retired_at is not None and row["recorded_at"] >= sensor.retired_at
    return Reason.RETIRED_SENSOR if is_retired else Reason.TOO_MANY_STATUSES


def reading_batch(readings: pl.DataFrame) -> ReadingBatch:
    """Return resolved readings as columns for the store."""
    return ReadingBatch(
        storage_unit_id=readings["storage_unit_id"].to_numpy(),
        sensor_id=readings["sensor_id"].to_numpy(),
        recorded_at_us=readings["recorded_at"].to_numpy().view(np.int64),
        temperature_c=readings["temperature_c"].to_numpy(),
        scale=readings["scale_byte"].to_numpy().view(np.dtype("S1")),
        quality_score=readings["quality_score"].to_numpy(),
        equipment_status_id=readings["equipment_status_id"].to_numpy(),
    )
