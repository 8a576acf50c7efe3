"""Settings that the operator changes at run time: a few keys, each with its own type of value.

A key that was never set has its default. A change takes effect immediately and everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from readings.models import ConfigurationEntry
from readings.units.condition import DEFAULT_LIMITS, DeviationLimits

MAX_RETENTION_DAYS = 36_500
MAX_DEVIATION_K = 500.0
LONGEST_DESCRIPTION = 1_000
RETENTION_KEY = "data_retention_days"
DEVIATION_KEY = "max_temperature_deviation"


class InvalidValue(ValueError):  # noqa: N818 - reads better where it is caught
    """The value is not valid for this key; the message says what is."""


class UnknownKey(KeyError):  # noqa: N818 - reads better where it is caught
    """There is no such key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key's default and its validation: `checked` returns the value or raises InvalidValue."""

    default: object
    description: str
    checked: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value; `updated_at` is None if it was never set."""

    value: object
    description: str
    updated_at: datetime | None


def _days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RETENTION_DAYS:
        raise InvalidValue(f"The value must be a whole number of days from 1 to {MAX_RETENTION_DAYS:,}.")
    return value


def _deviations(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or value.keys() != {"warning", "critical"}:
        raise InvalidValue('The value must be an object such as {"warning": 2, "critical": 5}.')
    if not all(_is_deviation(each) for each in value.values()) or value["critical"] < value["warning"]:
        raise InvalidValue(
            f"Both must be kelvin above 0 and up to {MAX_DEVIATION_K:g}, and critical no less than warning."
        )
    return dict(value)


def _is_deviation(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_DEVIATION_K


KEYS: dict[str, Key] = {
    RETENTION_KEY: Key(730, "Days for which raw readings are kept before they are archived.", _days),
    DEVIATION_KEY: Key(
        {"warning": DEFAULT_LIMITS.warning_k, "critical": DEFAULT_LIMITS.critical_k},
        "Kelvin by which a unit may deviate from its set temperature before a warning, and before it is critical.",
        _deviations,
    ),
}


def entries() -> dict[str, Entry]:
    """Return every key with its value. One query."""
    stored = {row.key: row for row in ConfigurationEntry.objects.filter(key__in=KEYS)}
    return {key: _entry(kind, stored.get(key)) for key, kind in KEYS.items()}


def lock_entries() -> None:
    """Let nobody else change a key until the end of the transaction, also one that was never set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('configuration'))")


def set_value(key: str, value: object, description: str | None = None) -> Entry:
    """Set a key, and its description if given. Raise UnknownKey or InvalidValue."""
    if key not in KEYS:
        raise UnknownKey(key)
    kind = KEYS[key]
    values = {"value": kind.checked(value)} | ({} if description is None else {"description": description})
    row, _ = ConfigurationEntry.objects.update_or_create(
        key=key, defaults=values, create_defaults={"description": kind.description} | values
    )
    return _entry(kind, row)


def deviation_limits() -> DeviationLimits:
    """Return the permitted deviation from the set temperature, as configured at this moment.

    Not cached: what is computed from it is stored. One query.
    """
    value = _deviations(entries()[DEVIATION_KEY].value)
    return DeviationLimits(warning_k=value["warning"], critical_k=value["critical"])


def retention() -> timedelta:
    """Return for how long readings remain in the database, as configured at this moment. One query."""
    return timedelta(days=_days(entries()[RETENTION_KEY].value))


def _entry(kind: Key, row: ConfigurationEntry | None) -> Entry:
    if row is None:
        return Entry(kind.default, kind.description, None)
    return Entry(row.value, row.description, row.updated_at)
