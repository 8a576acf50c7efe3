"""What goes wrong between a customer's system and its reader, and when: settings and reproducible decisions."""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, NamedTuple

from simulator.base.instants import LARGEST_NUMBER

# At most one of these happens to a request; the sum of their chances is at most 1.
OUTCOMES = ("error_500", "unavailable_503", "hang", "slow_body", "cut_off", "html")


class TransportError(ValueError):
    """Invalid transport settings; the message says why."""


@dataclass(frozen=True)
class TransportSettings:
    """Chances from 0 to 1, and their seconds.

    Per request, one of: error_500; unavailable_503 (with `Retry-After: retry_after_seconds`); hang (no response for
    hang_seconds, then the connection closes); slow_body (over slow_seconds); cut_off (ends in the middle of a row);
    html (a page instead of data). Per body: shuffled_rows. Per row: duplicated_rows, garbage_rows (followed by an
    unreadable row), late_rows (available up to late_seconds later; all rows by default). Per unit: late_units (the
    share of the units all of whose rows are available late_unit_seconds later). bundle_seconds: rows become available
    at the end of a period of that length only, all at once. Seconds are real ones, except late_seconds,
    late_unit_seconds and bundle_seconds, which are on the simulated clock.
    """

    error_500: float = 0.0
    unavailable_503: float = 0.0
    hang: float = 0.0
    slow_body: float = 0.0
    cut_off: float = 0.0
    html: float = 0.0
    shuffled_rows: float = 0.0
    duplicated_rows: float = 0.0
    garbage_rows: float = 0.0
    late_rows: float = 1.0
    late_seconds: float = 0.0
    late_units: float = 0.0
    late_unit_seconds: float = 10_800.0
    bundle_seconds: float = 0.0
    hang_seconds: float = 60.0
    slow_seconds: float = 20.0
    retry_after_seconds: float = 30.0

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "TransportSettings":
        """Return settings from JSON; missing names keep their defaults. Raise TransportError."""
        known = asdict(cls())
        for name, value in values.items():
            if name not in known:
                raise TransportError(f"unknown transport setting {name!r}; known are {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_NUMBER:
                raise TransportError(f"{name} must be a number from 0 to {LARGEST_NUMBER:,.0f}, not {value!r}")
            if not name.endswith("_seconds") and value > 1:
                raise TransportError(f"{name} is a chance from 0 to 1, not {value!r}")
        settings = cls(**values)
        if sum(getattr(settings, name) for name in OUTCOMES) > 1 + 1e-9:
            raise TransportError(f"the chances of {', '.join(OUTCOMES)} add up to more than 1")
        return settings

    @classmethod
    def from_text(cls, text: str) -> "TransportSettings":
        """Return settings from `name=number,name=number`. Raise TransportError."""
        values: dict[str, float] = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            name, _, number = part.partition("=")
            try:
                values[name.strip()] = float(number)
            except ValueError as error:
                raise TransportError(f"{part!r} is not name=number") from error
        return cls.from_mapping(values)

    def in_force(self) -> dict[str, float]:
        """Return the settings that differ from a transport without faults."""
        plain = asdict(TransportSettings())
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    def is_late_unit(self, position: int) -> bool:
        """Return whether all rows of the customer's nth unit, counted from 0, are late."""
        return ceil((position + 1) * self.late_units) > ceil(position * self.late_units)

    @property
    def changes_rows(self) -> bool:
        """Whether rows are shuffled, duplicated or damaged."""
        return self.shuffled_rows > 0 or self.duplicated_rows > 0 or self.garbage_rows > 0


class Decision(NamedTuple):
    """What happens to one request: one of OUTCOMES or "normal", and the random source of its details."""

    outcome: str
    settings: TransportSettings
    chance: random.Random

    def retry_after_seconds(self) -> int:
        """Return the `Retry-After` of a 503 response in whole seconds."""
        return round(self.settings.retry_after_seconds)


class SentRow(NamedTuple):
    """A row as it is sent."""

    text: str
    is_garbage: bool


def decide(settings: TransportSettings, seed: int, customer: str, request_number: int) -> Decision:
    """Decide the faults of a customer's request: the same arguments always give the same decision."""
    chance = random.Random(f"request {seed} {customer} {request_number}")  # noqa: S311 - repeatable on purpose
    drawn = chance.random()
    for name in OUTCOMES:
        drawn -= getattr(settings, name)
        if drawn < 0:
            return Decision(name, settings, chance)
    return Decision("normal", settings, chance)


def disturb(rows: list[str], decision: Decision, garbage: Callable[[random.Random], str]) -> list[SentRow]:
    """Return the rows with duplicates and garbage added, and shuffled if so decided."""
    settings, chance = decision.settings, decision.chance
    sent: list[SentRow] = []
    for row in rows:
        sent.append(SentRow(row, is_garbage=False))
        if chance.random() < settings.duplicated_rows:
            sent.append(SentRow(row, is_garbage=False))
        if chance.random() < settings.garbage_rows:
            sent.append(SentRow(garbage(chance), is_garbage=True))
    if chance.random() < settings.shuffled_rows:
        chance.shuffle(sent)
    return sent
