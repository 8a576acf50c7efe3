"""What a detector reads and finds: readings, limits in force and excursions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from alarms.thresholds import Limits, Severity, Side
from readings.storage.time_weighting import mean_kinetic_temperature_c


class SensorReading(NamedTuple):
    """One reading of one of the unit's sensors; `temperature_c` None means no measurement."""

    recorded_at: datetime
    sensor_id: int
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """Limits from `valid_from` on; `version_id` and `is_provisional` are passed through."""

    valid_from: datetime
    limits: Limits
    version_id: int = 0
    is_provisional: bool = False


# A time that one side's budget counts: begin and end in µs since 1970, the temperature furthest beyond in it, and when
# that was. A list, as JSON stores it.
SidePiece = list[int | float]


@dataclass(slots=True)
class KnownTime:
    """Σt and Σt·exp(−10000/T) of the time with known temperature, and the unknown time; in seconds."""

    seconds: float = 0.0
    arrhenius: float = 0.0
    gap_seconds: float = 0.0


@dataclass(slots=True)
class AfterEnd(KnownTime):
    """What is added to an excursion that seemed to be over if it continues; see DetectedExcursion."""

    area_kelvin_minutes: float = 0.0
    outside_seconds: float = 0.0
    outside_pieces: list[list[int]] = field(default_factory=list)
    high_pieces: list[SidePiece] = field(default_factory=list)
    low_pieces: list[SidePiece] = field(default_factory=list)


@dataclass(slots=True)
class DetectedExcursion:
    """An excursion, with the names of `alarms.models.Excursion`; `ended_at` None means ongoing.

    version_id: of the limits in force when it began. outside_pieces: from when to when the temperature is known to be
    outside, in microseconds since 1970, touching pieces joined. high_pieces, low_pieces: the parts of them that the
    budgets of one side count.
    """

    started_at: datetime
    version_id: int
    clearing_delay: timedelta
    severity: Severity
    peak_c: float
    peak_at: datetime
    last_outside_at: datetime
    ended_at: datetime | None = None
    area_kelvin_minutes: float = 0.0
    outside_seconds: float = 0.0
    gap_seconds: float = 0.0
    alarm_at: datetime | None = None
    critical_alarm_at: datetime | None = None
    outside_pieces: list[list[int]] = field(default_factory=list)
    high_pieces: list[SidePiece] = field(default_factory=list)
    low_pieces: list[SidePiece] = field(default_factory=list)
    known: KnownTime = field(default_factory=KnownTime)

    @property
    def clears_at(self) -> datetime | None:
        """When the clearing delay is over, after which a return is a new excursion; None while ongoing."""
        return None if self.ended_at is None else self.ended_at + self.clearing_delay

    @property
    def mkt_c(self) -> float | None:
        """The mean kinetic temperature of the known time, None if there is none."""
        return mean_kinetic_temperature_c(self.known.arrhenius, self.known.seconds)


def add_piece(pieces: list[list[int]], since_us: int, until_us: int) -> None:
    """Add a piece in µs, joined with one that it touches."""
    if pieces and pieces[-1][1] == since_us:
        pieces[-1][1] = until_us
    else:
        pieces.append([since_us, until_us])


def add_side_piece(pieces: list[SidePiece], added: SidePiece, side: Side) -> None:
    """Add a piece, joined with one that it touches."""
    if not pieces or pieces[-1][1] != added[0]:
        pieces.append(added)
        return
    (begin_us, _, *last), (_, end_us, *new) = pieces[-1], added
    is_further = new[0] > last[0] if side is Side.HIGH else new[0] < last[0]
    pieces[-1] = [begin_us, end_us, *(new if is_further else last)]
