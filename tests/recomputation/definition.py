"""What every statistic means, in plain Python: from all readings, one moment or one reading at a time.

It shares no code with the product, keeps nothing from one result to the next, and prefers the obvious to the fast.
Temperatures are in °C unless a name says otherwise, times are aware, periods include their start and exclude their end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

LAST = datetime(9000, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Reading:
    """One reading as a sensor sent it; `value` is on `scale`, None without a measurement."""

    sensor: str
    at: datetime
    value: float | None
    scale: str = "C"
    quality: float = 1.0
    status: str = "normal"

    @property
    def temperature_c(self) -> float | None:
        """The measurement in °C."""
        return None if self.value is None else celsius(self.value, self.scale)


@dataclass(eq=False)
class Unit:
    """A storage unit and its readings, in any order.

    `staleness`: for how long a reading is valid at most, from a moment on, in order of time; the first also before.
    `retired`: since when sensors are retired. What they sent later was stored before they were.
    """

    name: str
    facility: str
    zone: str
    staleness: list[tuple[datetime, timedelta]]
    set_temperature_c: float | None = None
    readings: list[Reading] = field(default_factory=list)
    retired: dict[str, datetime] = field(default_factory=dict)

    def known_at(self, now: datetime) -> Unit:
        """Return the unit as it is known at a moment: what is dated later is no reading yet."""
        return replace(self, readings=[reading for reading in self.readings if reading.at <= now])

    @cached_property
    def validities(self) -> list[Validity]:
        """The periods in which each measurement is valid.

        It is valid until the next reading of its sensor, measured or not, but at any moment only while it is younger
        than the staleness limit in force then, and until its sensor is retired.
        """
        found = []
        for reading in self.readings:
            if reading.temperature_c is None:
                continue
            same = [other.at for other in self.readings if other.sensor == reading.sensor]
            following = min((at for at in same if at > reading.at), default=LAST)
            for number, (since, limit) in enumerate(self.staleness):
                begins = max(reading.at, since) if number else reading.at
                changes = self.staleness[number + 1][0] if number + 1 < len(self.staleness) else LAST
                until = min(reading.at + limit, following, changes, self.retired.get(reading.sensor, LAST))
                if begins < until:
                    found.append(Validity(reading.sensor, begins, until, reading.temperature_c))
        return found


@dataclass(frozen=True)
class Validity:
    """A period in which a measurement of a sensor is valid."""

    sensor: str
    since: datetime
    until: datetime
    temperature_c: float

    @property
    def seconds(self) -> float:
        """The length of the period."""
        return (self.until - self.since).total_seconds()


def celsius(value: float, scale: str) -> float:
    """Convert a temperature to °C."""
    return {"C": value, "F": (value - 32) / 1.8, "K": value - 273.15}[scale]


def on_scale(temperature_c: float | None, scale: str) -> float | None:
    """Convert a temperature from °C."""
    if temperature_c is None:
        return None
    return {"C": temperature_c, "F": temperature_c * 1.8 + 32, "K": temperature_c + 273.15}[scale]


def validities(unit: Unit, start: datetime, end: datetime) -> list[Validity]:
    """Return the periods within [start, end) in which each measurement is valid."""
    return [
        replace(each, since=max(each.since, start), until=min(each.until, end))
        for each in unit.validities
        if each.since < end and each.until > start
    ]


def union(periods: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the periods without overlaps, touching ones joined, in order of time."""
    joined: list[tuple[datetime, datetime]] = []
    for since, until in sorted(periods):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


def gaps(unit: Unit, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return the periods within [start, end) in which no measurement of any sensor is valid."""
    covered = union((each.since, each.until) for each in validities(unit, start, end))
    ends = [start, *(instant for period in covered for instant in period), end]
    return [(since, until) for since, until in zip(ends[::2], ends[1::2], strict=True) if since < until]


@dataclass(frozen=True)
class Statistics:
    """The metrics of some units over a period; temperatures in °C, None without any measurement."""

    reading_count: int
    fault_count: int
    good_count: int
    status_counts: dict[str, int]
    min_c: float | None
    max_c: float | None
    average_c: float | None
    mean_c: float | None
    mkt_c: float | None
    weighted_seconds: float
    covered_seconds: float
    coverage: float
    mean_deviation: float | None
    min_deviation: float | None
    max_deviation: float | None


def statistics(units: Sequence[Unit], start: datetime, end: datetime, sensor: str | None = None) -> Statistics:
    """Return the statistics of these units together over [start, end), or of one sensor of them."""
    inside = [
        (unit, reading)
        for unit in units
        for reading in unit.readings
        if start <= reading.at < end and sensor in (None, reading.sensor)
    ]
    measured = [(unit, reading.temperature_c) for unit, reading in inside if reading.temperature_c is not None]
    valid = [(unit, each) for unit in units for each in validities(unit, start, end) if sensor in (None, each.sensor)]
    covered = sum(
        (until - since).total_seconds()
        for unit in units
        for since, until in union((each.since, each.until) for owner, each in valid if owner is unit)
    )
    temperatures = [temperature_c for _, temperature_c in measured]
    wanted = len(units) * (end - start).total_seconds()
    deviations = [t - unit.set_temperature_c for unit, t in measured if unit.set_temperature_c is not None]
    return Statistics(
        reading_count=len(inside),
        fault_count=len(inside) - len(measured),
        good_count=sum(reading.quality >= 0.8 for _, reading in inside),
        status_counts={status: count for status in STATUSES if (count := _count(inside, status))},
        min_c=min(temperatures, default=None),
        max_c=max(temperatures, default=None),
        average_c=math.fsum(temperatures) / len(temperatures) if temperatures else None,
        mean_c=weighted_mean([(each.seconds, each.temperature_c) for _, each in valid]),
        mkt_c=mean_kinetic_temperature([(each.seconds, each.temperature_c) for _, each in valid]),
        weighted_seconds=math.fsum(each.seconds for _, each in valid),
        covered_seconds=covered,
        coverage=covered / wanted if wanted else 0.0,
        mean_deviation=weighted_mean(
            [
                (each.seconds, each.temperature_c - unit.set_temperature_c)
                for unit, each in valid
                if unit.set_temperature_c is not None
            ]
        ),
        min_deviation=min(deviations, default=None),
        max_deviation=max(deviations, default=None),
    )


STATUSES = ("normal", "warning", "error", "defrost")


def _count(inside: list[tuple[Unit, Reading]], status: str) -> int:
    return sum(reading.status == status for _, reading in inside)


def weighted_mean(weighted: Sequence[tuple[float, float]]) -> float | None:
    """Return Σ t·T / Σ t of pairs (t, T), None without any."""
    seconds = math.fsum(weight for weight, _ in weighted)
    return math.fsum(weight * value for weight, value in weighted) / seconds if seconds else None


def mean_kinetic_temperature(weighted: Sequence[tuple[float, float]]) -> float | None:
    """Return the mean kinetic temperature in °C of pairs (time, temperature), by USP <1160> with ΔH/R = 10,000 K."""
    mean = weighted_mean([(seconds, math.exp(-10_000 / (value + 273.15))) for seconds, value in weighted])
    return None if mean is None else 10_000 / -math.log(mean) - 273.15


@cache
def date_shown(instant: datetime, zone: str) -> date:
    """Return the date that clocks in the zone show."""
    return instant.astimezone(ZoneInfo(zone)).date()


@cache
def day_of(instant: datetime, zone: str) -> date:
    """Return the local day of an instant: the latest date that clocks have shown until then.

    It is the date they show, except after they went back past midnight, by less than four hours.
    """
    minute = instant.astimezone(UTC).replace(second=0, microsecond=0)
    return max(date_shown(minute - number * MINUTE, zone) for number in range(240))


@cache
def start_of_day(day: date, zone: str) -> datetime:
    """Return the first instant of a local day, which since 2000 is a whole quarter of an hour of UTC."""
    earliest = datetime(day.year, day.month, day.day, tzinfo=UTC) - 15 * HOUR
    quarters = (earliest + number * 15 * MINUTE for number in range(4 * 30))
    return next(quarter for quarter in quarters if date_shown(quarter, zone) >= day)


def start_of_group(instant: datetime, interval: str, zone: str) -> datetime:
    """Return the start of the hour of UTC, or of the local day, week or month, that contains the instant."""
    if interval == "hour":
        return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = day_of(instant, zone)
    first = {"day": day, "week": day - day.weekday() * DAY, "month": day.replace(day=1)}[interval]
    return start_of_day(first, zone)


def end_of_group(start: datetime, interval: str, zone: str) -> datetime:
    """Return the end of the group that starts then."""
    if interval == "hour":
        return start + HOUR
    first = day_of(start, zone)
    following = {"day": first + DAY, "week": first + 7 * DAY, "month": (first + 31 * DAY).replace(day=1)}[interval]
    return start_of_day(following, zone)


def uptime(units: Sequence[Unit], start: datetime, end: datetime) -> tuple[int, int]:
    """Return the hours of UTC in which any unit sent a reading within [start, end), and all of the period.

    The parts of hours at its start and end are one hour if they are an hour at most together.
    """
    parts: list[tuple[datetime, datetime]] = []
    hour = start_of_group(start, "hour", "UTC")
    while hour < end:
        parts.append((max(hour, start), min(hour + HOUR, end)))
        hour += HOUR
    is_read = [
        any(since <= reading.at < until for unit in units for reading in unit.readings) for since, until in parts
    ]
    incomplete = [number for number, (since, until) in enumerate(parts) if until - since < HOUR]
    seconds = sum((parts[number][1] - parts[number][0]).total_seconds() for number in incomplete)
    if len(incomplete) == 2 and seconds <= HOUR.total_seconds():
        first, last = incomplete
        is_read[first] |= is_read.pop(last)
    return sum(is_read), len(is_read)
