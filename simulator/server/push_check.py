"""Check pushed readings as a customer's system would."""

from collections.abc import Collection
from typing import Any

from simulator.base.instants import parse_moment

# The lowest and the highest possible temperature on each scale.
_RANGES = {"C": (-273.15, 1_000.0), "F": (-459.67, 1_832.0)}


class PushError(ValueError):
    """The body is not a list of readings."""


def count_acceptable(document: object, unit_codes: Collection[str]) -> dict[str, int]:
    """Return how many rows of `{"readings": [...]}` or a bare list are acceptable. Raise PushError if it is neither."""
    rows = document.get("readings") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise PushError('expected a list of readings, or {"readings": [...]}')
    accepted = sum(_is_acceptable(row, unit_codes) for row in rows)
    return {"received": len(rows), "accepted": accepted, "rejected": len(rows) - accepted}


def _is_acceptable(row: Any, unit_codes: Collection[str]) -> bool:
    """Return whether the row has a known unit, a valid time, and a possible temperature or none."""
    if not isinstance(row, dict) or not isinstance(row.get("unit_id"), str) or row["unit_id"] not in unit_codes:
        return False
    try:
        parse_moment(str(row.get("timestamp")))
    except ValueError:
        return False
    return _is_possible(row.get("temperature"), row.get("temperature_unit", "C"))


def _is_possible(temperature: object, scale: object) -> bool:
    if not isinstance(scale, str) or scale not in _RANGES:
        return False
    if temperature is None:
        return True
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        return False
    lowest, highest = _RANGES[scale]
    return lowest <= temperature <= highest
