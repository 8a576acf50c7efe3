"""What verification finds: where something does not match what was sealed or chained, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from readings.storage.reading_batch import instant_of
from seals.contents import SealedReading


class Change(StrEnum):
    """What happened to a record since it was sealed or chained; of an unreadable one that is not known."""

    EDITED = "edited"
    INSERTED = "inserted"
    DELETED = "deleted"
    REORDERED = "reordered"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the database differs from what it must hold."""

    change: Change
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.change.capitalize()}: {self.where}. {self.detail}"


def reading_name(unit: str, reading: SealedReading) -> str:
    """Return how a finding names a reading of `unit`."""
    recorded_at = instant_of(reading.recorded_at_us)
    return f"reading of {unit}, sensor {reading.sensor_id}, {recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC"


def counts_text(sealed: int, found: int) -> str:
    """Return how many records there were and are."""
    return f"{sealed:,} were sealed, {found:,} are there."
