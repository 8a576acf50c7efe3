"""Give the readings of a parsed batch the ids of their units, sensors and statuses, and reject those without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, TypedDict, cast

import numpy as np
import polars as pl

from ingestion.loading.registration import Register, ResolvedSensor, SensorKey
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RejectedReading
from readings.models import status_ids
from readings.storage.reading_batch import ReadingBatch

KEY = ["facility_code", "unit_code", "sensor_code"]
SCALE_BYTES = {"C": ord("C"), "F": ord("F"), "K": ord("K")}

_Field = Literal["facility_code", "unit_code", "sensor_code", "equipment_status"]


class _UnresolvedRow(TypedDict):
    facility_code: str | None
    unit_code: str
    sensor_code: str
    equipment_status: str
    row_number: int
    recorded_at: datetime
    retired_at: datetime | None


def resolve(
    register: Register, batch: ParsedBatch, statuses: Mapping[str, int] | None = None
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Return the batch's readings with their ids, and rejections of those that can't be resolved.

    `statuses`: the ids of its equipment statuses, if they are known.
    """
    keys: list[SensorKey] = batch.readings.select(KEY).unique().rows()
    resolved = register.resolve(keys, batch.units)
    if statuses is None:
        statuses = status_ids(batch.readings["equipment_status"].unique())
    rows = [
        (*key, sensor.storage_unit_id, sensor.sensor_id, sensor.retired_at)
        for key, sensor in resolved.items()
        if isinstance(sensor, ResolvedSensor)
    ]
    ids = pl.DataFrame(
        rows,
        schema=dict.fromkeys(KEY, pl.String)
        | {"storage_unit_id": pl.Int32, "sensor_id": pl.Int32, "retired_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    readings = batch.readings.join(ids, on=KEY, how="left", nulls_equal=True, maintain_order="left").with_columns(
        equipment_status_id=pl.col("equipment_status").replace_strict(statuses, default=None, return_dtype=pl.Int16)
    )
    is_storable = pl.col("storage_unit_id").is_not_null() & pl.col("equipment_status_id").is_not_null()
    if any(isinstance(sensor, ResolvedSensor) and sensor.retired_at for sensor in resolved.values()):
        is_storable &= (pl.col("recorded_at") < pl.col("retired_at")).fill_null(value=True)
    unresolved = readings.filter(~is_storable)
    return readings.filter(is_storable), [
        _rejected(row, resolved[row["facility_code"], row["unit_code"], row["sensor_code"]], batch)
        for row in cast("Iterator[_UnresolvedRow]", unresolved.iter_rows(named=True))
    ]


def _rejected(row: _UnresolvedRow, found: ResolvedSensor | Reason, batch: ParsedBatch) -> RejectedReading:
    reason = found if isinstance(found, Reason) else _reason_despite_ids(row)
    fields: dict[Reason, _Field] = {
        Reason.UNKNOWN_FACILITY: "facility_code",
        Reason.UNKNOWN_SENSOR: "sensor_code",
        Reason.RETIRED_SENSOR: "sensor_code",
        Reason.TOO_MANY_STATUSES: "equipment_status",
    }
    message = message_for(reason, value=row[fields.get(reason, "unit_code")])
    return RejectedReading(row["row_number"], reason, message, batch.raw_row(row["row_number"]))


def _reason_despite_ids(row: _UnresolvedRow) -> Reason:
    is_retired = row["retired_at"] is not None and row["recorded_at"] >= row["retired_at"]
    return Reason.RETIRED_SENSOR if is_retired else Reason.TOO_MANY_STATUSES


def reading_batch(readings: pl.DataFrame) -> ReadingBatch:
    """Return resolved readings as columns for the store."""
    return ReadingBatch(
        storage_unit_id=readings["storage_unit_id"].to_numpy(),
        sensor_id=readings["sensor_id"].to_numpy(),
        recorded_at_us=readings["recorded_at"].to_physical().to_numpy(),
        temperature_c=readings["temperature_c"].fill_null(float("nan")).to_numpy(),
        scale=readings["scale"].replace_strict(SCALE_BYTES, return_dtype=pl.UInt8).to_numpy().view(np.dtype("S1")),
        quality_score=readings["quality_score"].to_numpy(),
        equipment_status_id=readings["equipment_status_id"].to_numpy(),
    )
