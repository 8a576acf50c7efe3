"""Examples of request and response bodies, generated from their schemas and from typical values by field name."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

VALUES: dict[str, object] = {
    "acknowledged_by": "ann",
    "acknowledgement": "On my way with a spare fan.",
    "aggregations": ["avg", "min", "max", "count"],
    "api_url": "https://cold.example.com/api",
    "avg_temperature": 4.8,
    "average_temperature": 4.8,
    "cause": "The door was left ajar.",
    "changed_by": "ann",
    "city": "Oxford",
    "closed_by": "ann",
    "comment": "On my way with a spare fan.",
    "corrective_action": "A closer was fitted to the door.",
    "country": "England",
    "current_temperature": 4.5,
    "customer_code": "A",
    "customer_name": "Pharma Corp A",
    "decimal_mark": ".",
    "delimiter": ";",
    "description": "Set after the audit of November.",
    "detail": "The token is not known.",
    "duplicates": 0,
    "conflicts": 0,
    "rejected": 0,
    "equipment_status": "normal",
    "equipment_type": "refrigerator",
    "error_message": "",
    "facility_code": "facility_A_1",
    "facility_name": "Oxford Science Park",
    "group_by": ["day", "facility"],
    "high_critical_c": 10.0,
    "high_warning_c": 8.0,
    "latitude": 51.7191,
    "longitude": -1.2353,
    "low_critical_c": 0.0,
    "low_warning_c": 2.0,
    "max_temperature": 6.1,
    "min_temperature": 3.9,
    "mkt": 4.9,
    "name": "Vaccines, ground floor",
    "next": None,
    "next_cursor": None,
    "page": 1,
    "page_size": 100,
    "pages": 1,
    "permissions": ["read"],
    "peak_temperature": 12.0,
    "previous": None,
    "profile_name": "refrigerated medicine",
    "quality_score": 1.0,
    "records_processed": 60,
    "records_succeeded": 60,
    "records_duplicate": 0,
    "records_failed": 0,
    "sensor_id": "sensor_1",
    "set_temperature": 5.0,
    "size_unit": "m3",
    "size_value": 1.5,
    "source_name": "",
    "source_url": "https://cold.example.com/api/temperature/current?hours=1",
    "structure_url": "https://cold.example.com/facilities",
    "temperature": 4.5,
    "time_zone": "Europe/London",
    "token": "tms_vCJQ0nXk3zGm1sYy8h7w4bT2rLfPaEoD5uHiNqRxWjc",
    "token_name": "Quality reports",
    "total": 1,
    "unit_code": "unit_A_1_1",
    "url": "https://cold.example.com/readings?hours={hours}",
    "unit_name": "Vaccines, ground floor",
}
FORMATS: dict[str, object] = {
    "uuid": "3f0e8c0a-51f4-4a52-9c2b-9f2f5d1c7a10",
    "date-time": "2026-11-23T10:15:00Z",
    "date": "2026-11-23",
    "uri": "https://example.com",
}
KINDS: dict[str, object] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "object": {}, "array": []}


def example_of(schema: Document, schemas: Document, name: str = "") -> object:
    """Return an example that is valid by the schema of the field `name`; `schemas` are the document's components."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    for source in ("example", "default"):
        if schema.get(source) is not None:
            return schema[source]
    for combination in ("allOf", "oneOf", "anyOf"):
        if combination in schema:
            return example_of(schema[combination][0], schemas, name)
    if schema.get("type") == "object" and "properties" in schema:
        return {each: example_of(part, schemas, each) for each, part in schema["properties"].items()}
    return _simple(schema, schemas, name)


def _simple(schema: Document, schemas: Document, name: str) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    if name in VALUES:
        return VALUES[name]
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    if "minimum" in schema:
        return max(1, schema["minimum"])
    return KINDS.get(schema.get("type", "object"))
