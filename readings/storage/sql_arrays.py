"""Columns as PostgreSQL's arrays: one parameter for a column, instead of one for each of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from readings.storage.reading_batch import Column, ReadingBatch

# The types of the columns of readings.
READING_TYPES = {
    "storage_unit_id": "int",
    "sensor_id": "int",
    "recorded_at": "timestamptz",
    "temperature_c": "float8",
    "quality_score": "float8",
    "equipment_status_id": "smallint",
    "scale": "text",
}
READING_COLUMNS = ", ".join(READING_TYPES)


def rows_sql(alias: str, types: Mapping[str, str]) -> str:
    """Return SQL for rows of columns with these types, given as parameters; see `parameters_of`."""
    arrays = ", ".join(f"%({alias}_{name})s::{kind}[]" for name, kind in types.items())
    return f"unnest({arrays}) AS {alias} ({', '.join(types)})"


def parameters_of(alias: str, columns: Mapping[str, Column]) -> dict[str, str]:
    """Return the parameters of `rows_sql`."""
    return {f"{alias}_{name}": array_of(values) for name, values in columns.items()}


def parameters_of_readings(alias: str, batch: ReadingBatch) -> dict[str, str]:
    """Return the parameters of `rows_sql` of READING_TYPES."""
    recorded_at = instants(batch.recorded_at_us)
    columns = {name: recorded_at if name == "recorded_at" else getattr(batch, name) for name in READING_TYPES}
    return parameters_of(alias, columns)


def instants(microseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """Return the instants this many microseconds after 1970-01-01 UTC."""
    return microseconds.astype("datetime64[us]")


def array_of(values: Column) -> str:
    """Return PostgreSQL's text of an array of numbers, instants, dates or letters. NaN is null."""
    if values.dtype.kind == "M":
        is_date = values.dtype == np.dtype("datetime64[D]")
        values = np.char.add(values.astype(str), "" if is_date else "Z")
    elif values.dtype.kind == "S":
        values = values.astype(str)
    if values.dtype.kind == "U":
        return f"{{{','.join(values.tolist())}}}"
    # The text of a list of numbers is made in a third of the time that joining those of the numbers takes.
    text = str(values.tolist())[1:-1]
    if values.dtype.kind == "f":
        text = text.replace("nan", "NULL")
    return f"{{{text}}}"


def array_of_list(values: Sequence[int | date | None]) -> str:
    """Return PostgreSQL's text of an array of numbers, dates or aware instants, many of which are equal.

    Of a list, psycopg would make an expression for each of its values, which PostgreSQL would evaluate one by one.
    """
    texts = {value: "NULL" if value is None else f"{value}" for value in set(values)}
    return f"{{{','.join([texts[value] for value in values])}}}"
