"""The condition of a storage unit at one instant, and the badges that higher apps attach to units in lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db.models import Expression, QuerySet, Subquery, TextField, Value

from core.scope import Scope
from customers.models import StorageUnit
from readings.units.condition import LimitsInForce, UnitState, deviation_k, state_of
from readings.units.formatting import (
    age_text,
    deviation_text,
    exact_temperature_text,
    scaled_text,
    temperature_text,
)
from readings.units.scales import to_celsius


@dataclass(frozen=True, slots=True)
class Condition:
    """A unit's newest reading and its state; `recorded_at` and `age` are None without any reading.

    `set_temperature` is on `scale`, as the unit has it; the reading was sent on `reading_scale`.
    """

    scale: str
    reading_scale: str
    set_temperature: float | None
    temperature_c: float | None
    recorded_at: datetime | None
    age: timedelta | None
    deviation_k: float | None
    state: UnitState

    @classmethod
    def at(
        cls,
        now: datetime,
        *,
        scale: str,
        set_temperature: float | None,
        gap_limit_seconds: int,
        recorded_at: datetime | None,
        temperature_c: float | None,
        reading_scale: str | None,
        is_of_retired_sensor: bool,
        limits: LimitsInForce,
    ) -> Condition:
        """Return the condition at `now` of a unit with the given newest reading; a retired sensor's is not valid."""
        age = None if recorded_at is None else now - recorded_at
        set_temperature_c = None if set_temperature is None else to_celsius(set_temperature, scale)
        state = state_of(
            age=None if is_of_retired_sensor else age,
            staleness_limit=timedelta(seconds=gap_limit_seconds),
            temperature_c=temperature_c,
            limits=limits,
        )
        deviation = deviation_k(temperature_c, set_temperature_c)
        return cls(scale, reading_scale or scale, set_temperature, temperature_c, recorded_at, age, deviation, state)

    @property
    def temperature_text(self) -> str:
        """The temperature as text on the unit's scale; with the digits that were sent if it was sent on that scale."""
        is_sent = self.reading_scale == self.scale
        return (exact_temperature_text if is_sent else temperature_text)(self.temperature_c, self.scale)

    @property
    def sent_text(self) -> str:
        """The temperature with the digits that were sent, "" if that is `temperature_text`."""
        if self.temperature_c is None or self.reading_scale == self.scale:
            return ""
        return exact_temperature_text(self.temperature_c, self.reading_scale)

    @property
    def is_stale(self) -> bool:
        """Whether the newest reading is too old to say anything about the present."""
        return self.state is UnitState.NO_DATA

    @property
    def reading_text(self) -> str:
        """The temperature as text, marked as the last known one if it is stale: "last 5.2 °C"."""
        is_past = self.is_stale and self.temperature_c is not None
        return f"last {self.temperature_text}" if is_past else self.temperature_text

    @property
    def set_temperature_text(self) -> str:
        """The set temperature as text."""
        return scaled_text(self.set_temperature, self.scale)

    @property
    def deviation_text(self) -> str:
        """The deviation from the set temperature as text."""
        return deviation_text(self.deviation_k, self.scale)

    @property
    def age_text(self) -> str:
        """The age of the reading as text."""
        return age_text(self.age)


# Badge texts such as "alarm" by unit id.
Badges = Mapping[int, str]
_finders: list[Callable[[Scope], Badges]] = []


def register_badges(find: Callable[[Scope], Badges]) -> None:
    """Register a function that returns the badges of the units within a scope; most units have none."""
    if find not in _finders:
        _finders.append(find)


def visible_badges(scope: Scope) -> Badges:
    """Return the badges of the units within `scope`; those of a unit that has several are joined."""
    badges: dict[int, str] = {}
    for find in _finders:
        for unit_id, text in find(scope).items():
            badges[unit_id] = f"{badges[unit_id]} · {text}" if unit_id in badges else text
    return badges


_unevaluated: Expression | Subquery = Value([], ArrayField(TextField()))


def register_unevaluated(parts: Expression | Subquery) -> None:
    """Register the expression over units for what could not be evaluated of them, as an array of texts."""
    global _unevaluated
    _unevaluated = parts


def with_unevaluated(units: QuerySet[StorageUnit]) -> QuerySet[StorageUnit]:
    """Annotate the units with `not_evaluated`: what could not be evaluated of them."""
    return units.annotate(not_evaluated=_unevaluated)
