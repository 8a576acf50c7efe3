"""What the operator may set while the system runs: a few keys, each with its own kind of value.

A key that was never set has its default. A change takes effect at once and everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from readings.models import ConfigurationEntry
from readings.units.condition import DEFAULT_LIMITS, DeviationLimits

MAX_RETENTION_DAYS = 36_500
MAX_DEVIATION_K = 500.0
LONGEST_DESCRIPTION = 1_000


class InvalidValue(ValueError):  # noqa: N818  the name says what was met
    """The value is none that this key can have; the message says what it can be."""


class UnknownKey(KeyError):  # noqa: N818  the name says what was met
    """There is no such key."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key holds before anybody sets it, and how a value is checked: `checked` returns it or raises."""

    default: Any
    description: str
    checked: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value; `updated_at` None: it was never set."""

    value: Any
    description: str
    updated_at: datetime | None


def _days(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RETENTION_DAYS:
        raise InvalidValue(f"The value must be a whole number of days from 1 to {MAX_RETENTION_DAYS:,}.")
    return value


def _deviations(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or value.keys() != {"warning", "critical"}:
        raise InvalidValue('The value must be an object such as {"warning": 2, "critical": 5}.')
    if not all(_is_deviation(each) for each in value.values()) or value["critical"] < value["warning"]:
        raise InvalidValue(
            f"Both must be kelvin above 0 and up to {MAX_DEVIATION_K:g}, and critical no less than warning."
        )
    return dict(value)


def _is_deviation(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= MAX_DEVIATION_K


KEYS: dict[str, Key] = {
    "data_retention_days": Key(730, "For how many days raw readings are kept before they are archived.", _days),
    "max_temperature_deviation": Key(
        {"warning": DEFAULT_LIMITS.warning_k, "critical": DEFAULT_LIMITS.critical_k},
        "How many kelvin a unit may be off its set temperature before it is a warning, or critical.",
        _deviations,
    ),
}


def entries() -> dict[str, Entry]:
    """Every key with its value. One query."""
    stored = {row.key: row for row in ConfigurationEntry.objects.filter(key__in=KEYS)}
    return {key: _entry(kind, stored.get(key)) for key, kind in KEYS.items()}


def set_value(key: str, value: Any, description: str | None = None) -> Entry:
    """Set a key, and its description where one is given. Raises UnknownKey and InvalidValue."""
    if key not in KEYS:
        raise UnknownKey(key)
    kind = KEYS[key]
    values = {"value": kind.checked(value)} | ({} if description is None else {"description": description})
    row, _ = ConfigurationEntry.objects.update_or_create(
        key=key, defaults=values, create_defaults={"description": kind.description} | values
    )
    return _entry(kind, row)


def deviation_limits() -> DeviationLimits:
    """How far a unit around its set temperature may be off it, as it is set at this moment.

    Never a value of some seconds ago: what is worked out from it is kept for good. One query.
    """
    value = entries()["max_temperature_deviation"].value
    return DeviationLimits(warning_k=value["warning"], critical_k=value["critical"])


def _entry(kind: Key, row: ConfigurationEntry | None) -> Entry:
    if row is None:
        return Entry(kind.default, kind.description, None)
    return Entry(row.value, row.description, row.updated_at)
