"""Look up registered units and sensors, also those of several deliveries together.

The statements are prepared, and the units are created with the few fields that loading needs: compiling the ORM's
queries and creating whole units took longer than storing what a poll delivers.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeAlias

from django.db import connection

from core.db.prepared import Prepared
from customers.models import Facility, Sensor, StorageUnit

# The id of a customer, the codes of its facility and of the unit.
UnitPlace: TypeAlias = tuple[int, str, str]

_FACILITY_FIELDS = ("id", "customer_id", "facility_code", "name", "city", "country", "time_zone")
_UNIT_FIELDS = (
    "id",
    "facility_id",
    "unit_code",
    "name",
    "set_temperature",
    "temperature_unit",
    "size_value",
    "size_unit",
    "interval_seconds",
)
_UNITS = Prepared(f"""
SELECT {", ".join(f"facility.{name}" for name in _FACILITY_FIELDS)},
    {", ".join(f"unit.{name}" for name in _UNIT_FIELDS)}
FROM unnest(%(customer_ids)s::bigint[], %(facility_codes)s::text[], %(unit_codes)s::text[])
    AS wanted (customer_id, facility_code, unit_code)
JOIN {Facility._meta.db_table} AS facility USING (customer_id, facility_code)
JOIN {StorageUnit._meta.db_table} AS unit ON unit.facility_id = facility.id AND unit.unit_code = wanted.unit_code
""")  # noqa: S608  constants only
_SENSORS = Prepared(f"""
SELECT storage_unit_id, sensor_code, id, retired_at
FROM unnest(%(unit_ids)s::int[], %(sensor_codes)s::text[]) AS wanted (storage_unit_id, sensor_code)
JOIN {Sensor._meta.db_table} USING (storage_unit_id, sensor_code)
""")  # noqa: S608  constants only


def units_at(places: Collection[UnitPlace]) -> dict[UnitPlace, StorageUnit]:
    """Return the units at these places, with their facilities. One query, none without places."""
    if not places:
        return {}
    customer_ids, facility_codes, unit_codes = map(list, zip(*places, strict=True))
    rows = _UNITS.rows({"customer_ids": customer_ids, "facility_codes": facility_codes, "unit_codes": unit_codes})
    facilities: dict[int, Facility] = {}
    units = {}
    for row in rows:
        facility_values, unit_values = row[: len(_FACILITY_FIELDS)], row[len(_FACILITY_FIELDS) :]
        facility = facilities.get(row[0]) or Facility.from_db(connection.alias, _FACILITY_FIELDS, facility_values)
        facilities[row[0]] = facility
        unit = StorageUnit.from_db(connection.alias, _UNIT_FIELDS, unit_values)
        unit.facility = facility
        units[facility.customer_id, facility.facility_code, unit.unit_code] = unit
    return units


def sensors_of(keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], tuple[int, datetime | None]]:
    """Return the ids of sensors by unit and code, and since when they are retired. One query, none without keys."""
    if not keys:
        return {}
    unit_ids, sensor_codes = map(list, zip(*keys, strict=True))
    rows = _SENSORS.rows({"unit_ids": unit_ids, "sensor_codes": sensor_codes})
    return {(unit_id, code): (sensor_id, retired_at) for unit_id, code, sensor_id, retired_at in rows}
