"""The fields of pushed readings: known ones, scales under other names, and unknown ones, which are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ingestion.parsing.fields.names import DEFAULT_NAMES
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.values.rules import RowRejected

# The fields of a push by the names that `ingestion.parsing.values.row` uses.
FIELDS_BY_NAME = {
    "storage_unit_id": "unit",
    "recorded_at": "time",
    "temperature": "temperature",
    "temperature_unit": "scale",
    "sensor_id": "sensor",
    "quality_score": "quality",
    "equipment_status": "status",
}
# Why the request was made, which the audit trail records of any request.
_OF_THE_REQUEST = frozenset({"reason"})


def fields_of(row: Mapping[str, object]) -> dict[str, object]:
    """Return the raw fields of a pushed row. Raise RowRejected (unknown_field).

    A field such as "unit" or "scale" could say that a temperature is in °F, and any other field something else that the
    sender relies on: what is not understood is refused, not ignored.
    """
    if unknown := unknown_fields(row):
        raise RowRejected(Reason.UNKNOWN_FIELD, value=unknown[0], known=", ".join(FIELDS_BY_NAME))
    return {FIELDS_BY_NAME[name]: value for name, value in row.items() if name in FIELDS_BY_NAME}


def unknown_fields(names: Iterable[str]) -> list[str]:
    """Return the names that are no fields of a push, those that look like a scale first."""
    unknown = [name for name in names if name not in FIELDS_BY_NAME and name not in _OF_THE_REQUEST]
    return sorted(unknown, key=lambda name: canonical(name) not in DEFAULT_NAMES["scale"])
