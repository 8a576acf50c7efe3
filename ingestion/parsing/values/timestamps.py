"""Read timestamps in the formats that customers use; `ingestion.parsing.values.time_columns` reads whole columns.

A wall time is in microseconds since 1970. It is either local, in the source's time zone, or in UTC.
`ingestion.parsing.values.local_times` converts local wall times to UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from ingestion.parsing.values.written_times import (
    RewrittenTime,
    english_names,
    plain_meridiem,
    rewrite,
    without_end_of_day,
    zone_minutes,
    zone_named,
    zone_word,
)
from ingestion.sources.time_format import EXCEL_SERIAL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})(?P<separator>[-/])(?P<month>[0-9]{2})(?P=separator)(?P<day>[0-9]{2})[T ]"
    + _CLOCK
    + r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_YEAR_LAST = (
    r"(?P<{0}>[0-9]{{1,2}})(?P<separator>[-/.])(?P<{1}>[0-9]{{1,2}})(?P=separator)"
    r"(?P<year>[0-9]{{4}}|[0-9]{{2}})[T ,] ?"
    + _CLOCK.replace("{", "{{").replace("}", "}}")
    + r"(?: ?(?P<meridiem>[AaPp])\.?[Mm]\.?)?"
)
_EPOCH_NUMBER = re.compile(r"(?:[0-9]{9,10}|[0-9]{12,13}|[0-9]{15,16}|[0-9]{18,19})(?:\.[0-9]+)?")
_MILLISECONDS = re.compile(r"/?Date\((?P<number>-?[0-9]{9,14})(?:[+-][0-9]{4})?\)/?")
# Less usual: single digits, dots, AM and PM behind a date that begins with the year, and the basic and ordinal forms.
_YEAR_FIRST_LOOSE = re.compile(
    r"(?P<year>[0-9]{4})(?P<separator>[-/. ])(?P<month>[0-9]{1,2})(?P=separator)(?P<day>[0-9]{1,2})[T ,]+"
    + _CLOCK
    + r"(?: ?(?P<meridiem>[AaPp])\.?[Mm]\.?)?(?: ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_BASIC = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[T ](?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
    r"(?P<second>[0-9]{2})?(?P<fraction>)?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_ORDINAL = re.compile(r"(?P<year>[0-9]{4})-(?P<ordinal>[0-9]{3})(?P<rest>[T ].+)")
_OFFSET_AT_END = re.compile(r"[+-][0-9]{2}(?::?[0-9]{2})?$")
# Of a time. Longer texts are none, and would take long to be searched for names.
_MAX_CHARACTERS = 200
# Days since 1900 in the years 1954 to 2118, and the day 1970-01-01 in that calendar.
_SERIAL = re.compile(r"[2-7][0-9]{4}(?:[.,][0-9]+)?")
_SERIAL_OF_EPOCH = 25_569


class DayOrder(StrEnum):
    """Which of the first two numbers of "05/11/2026" is the day; UNDECIDED if the file does not show it."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"
    UNDECIDED = "undecided"


DATE_PATTERNS = {
    DayOrder.DAY_FIRST: re.compile(_YEAR_LAST.format("day", "month")),
    DayOrder.MONTH_FIRST: re.compile(_YEAR_LAST.format("month", "day")),
}


class UnreadableTime(ValueError):  # noqa: N818  (as UnreadableBody)
    """A value that is not a timestamp; the message is "" or the cause, beginning with a separator.

    `also` names a further setting that helps: " or the time zone".
    """

    def __init__(self, why: str = "", also: str = "") -> None:
        super().__init__(why)
        self.also = also


@dataclass(frozen=True, slots=True)
class WallTime:
    """A time in microseconds since 1970; `is_local` if the text has no offset."""

    microseconds: int
    is_local: bool


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How to read a source's timestamps: `time_format` for strptime, "" for the known formats.

    `unclear_zone` is a name with several meanings that the body gives for its times, "" for none.
    """

    time_format: str = ""
    day_order: DayOrder = DayOrder.UNDECIDED
    unclear_zone: str = ""


@dataclass(slots=True)
class DayOrderDetector:
    """Determine the order of day and month from all timestamps of a file."""

    day_first: bool = False
    month_first: bool = False
    # The first and the last numbers of dates with years of two digits, at most two of each.
    _firsts: set[str] = field(default_factory=set)
    _lasts: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Add a timestamp; other formats are ignored."""
        if match := DATE_PATTERNS[DayOrder.DAY_FIRST].fullmatch(plain_meridiem(text)):
            self.day_first |= int(match["day"]) > 12
            self.month_first |= int(match["month"]) > 12
            if len(match["year"]) == 2:
                for seen, number in ((self._firsts, match["day"]), (self._lasts, match["year"])):
                    if len(seen) < 2:
                        seen.add(number)

    @property
    def order(self) -> DayOrder:
        """The order in the file, UNDECIDED if it shows neither or both."""
        if self.day_first == self.month_first or (self.day_first and self._may_begin_with_year):
            return DayOrder.UNDECIDED
        return DayOrder.DAY_FIRST if self.day_first else DayOrder.MONTH_FIRST

    @property
    def _may_begin_with_year(self) -> bool:
        """Whether "14/12/25" may be in 2014: the year is last if it stays the same while the first number changes."""
        return bool(self._lasts) and not (len(self._firsts) > 1 and len(self._lasts) == 1)


def has_day_order(text: str) -> bool:
    """Return whether a timestamp has day and month before the year."""
    return DATE_PATTERNS[DayOrder.DAY_FIRST].fullmatch(plain_meridiem(text)) is not None


def microseconds(instant: datetime) -> int:
    """Convert an aware datetime to whole microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def read_time(value: object, rules: TimeRules) -> WallTime:
    """Read a timestamp, a text or an epoch number. Raise UnreadableTime."""
    wall = _read_wall_time(value, rules)
    if wall.is_local and rules.unclear_zone:
        raise UnreadableTime(
            f": its zone {rules.unclear_zone}, which the body gives, is not known, or has several meanings",
            " or the time zone",
        )
    return wall


def _unwrapped(value: dict[str, object], rules: TimeRules) -> tuple[object, TimeRules]:
    """Return a time without the object around it: an attribute as in FIWARE, or extended JSON as in MongoDB."""
    if "value" in value:
        return value["value"], rules
    inner = value.get("$date", value)
    inner = inner.get("$numberLong") if isinstance(inner, dict) else inner
    return inner, replace(rules, time_format="")


def _read_wall_time(value: object, rules: TimeRules) -> WallTime:
    if isinstance(value, dict):
        value, rules = _unwrapped(value, rules)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnreadableTime
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > _MAX_CHARACTERS:
        raise UnreadableTime(f": it is longer than {_MAX_CHARACTERS} characters")
    if rules.time_format == EXCEL_SERIAL:
        return _from_serial(text)
    if not isinstance(value, str):
        return _from_epoch(value)
    if rules.time_format:
        return _from_format(text, rules.time_format)
    if (match := YEAR_FIRST.fullmatch(text)) and match["hour"] != "24":
        return _from_match(match)
    if _EPOCH_NUMBER.fullmatch(text):
        return _from_epoch(text)
    if match := _MILLISECONDS.fullmatch(text):
        return WallTime(int(match["number"]) * 1000, is_local=False)
    return _from_rewritten(rewrite(text), rules)


def _from_rewritten(written: RewrittenTime, rules: TimeRules) -> WallTime:
    """Read a time whose words have been rewritten in digits."""
    if written.unclear:
        raise UnreadableTime(f": {written.unclear} is not known, or has several meanings")
    wall = _from_digits(written.text, rules)
    if written.is_end_of_day:
        wall = WallTime(wall.microseconds + DAY_US, wall.is_local)
    if wall.is_local and written.offset_minutes is not None:
        return WallTime(wall.microseconds - written.offset_minutes * 60 * SECOND_US, is_local=False)
    if not written.region:
        return wall
    try:
        return _in_region(wall, written)
    except OverflowError as error:  # the first or the last day of the calendar
        raise UnreadableTime from error


def _in_region(wall: WallTime, written: RewrittenTime) -> WallTime:
    """Return a time in its region; the offset that is written must be the one there. Raise UnreadableTime."""
    zone, time = zone_named(written.region), EPOCH + wall.microseconds * MICROSECOND
    if not wall.is_local:
        offset = _OFFSET_AT_END.search(written.text)  # none for "Z", which says nothing about the region
        if offset and time.astimezone(zone).utcoffset() != timedelta(microseconds=_offset_us(offset[0])):
            raise UnreadableTime(f": its offset {offset[0]} is not that of {written.region} at that time")
        return wall
    first, second = (time.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if first != second or first is None:
        raise UnreadableTime(f": the clocks in {written.region} change at that time")
    return WallTime(wall.microseconds - first // MICROSECOND, is_local=False)


def _from_digits(text: str, rules: TimeRules) -> WallTime:
    if match := _YEAR_FIRST_LOOSE.fullmatch(text) or _BASIC.fullmatch(text):
        return _from_match(match)
    if has_day_order(text):
        if rules.day_order is DayOrder.UNDECIDED:
            raise UnreadableTime(": the order of day and month is ambiguous")
        return _from_match(DATE_PATTERNS[rules.day_order].fullmatch(text))
    if match := _ORDINAL.fullmatch(text):
        return _from_ordinal(match)
    if _SERIAL.fullmatch(text):
        raise UnreadableTime(f'; if it is a day in a spreadsheet, set the time format to "{EXCEL_SERIAL}"')
    raise UnreadableTime


def _from_ordinal(match: re.Match[str]) -> WallTime:
    try:
        date = datetime.strptime(f"{match['year']} {match['ordinal']}", "%Y %j").replace(tzinfo=UTC)
    except ValueError as error:
        raise UnreadableTime from error
    return _from_match(YEAR_FIRST.fullmatch(f"{date:%Y-%m-%d}{match['rest']}"))


def _from_serial(text: str) -> WallTime:
    """Read days since 1900 with a fraction, to the millisecond, as local time."""
    if not _SERIAL.fullmatch(text):
        raise UnreadableTime(f' with the format "{EXCEL_SERIAL}"')
    days = Decimal(text.replace(",", ".")) - _SERIAL_OF_EPOCH
    # Days have so many decimals that a full second may come out as 0.9999 s.
    hundredths = (days * 8_640_000).quantize(Decimal(1))
    seconds = (days * 86_400).quantize(Decimal(1))
    is_whole = abs(hundredths - seconds * 100) <= 1
    return WallTime(int(seconds * SECOND_US if is_whole else hundredths * 10_000), is_local=True)


def _from_match(match: re.Match[str] | None) -> WallTime:
    if match is None:
        raise UnreadableTime
    part = match.groupdict()
    hour, meridiem = int(part["hour"]), (part.get("meridiem") or "").lower()
    if meridiem:
        if not 1 <= hour <= 12:
            raise UnreadableTime
        hour = hour % 12 + (12 if meridiem == "p" else 0)
    date = (_full_year(part["year"]), int(part["month"]), int(part["day"]))
    fraction = int((part["fraction"] or "").ljust(6, "0")[:6])
    try:
        wall = datetime(*date, hour, int(part["minute"]), int(part["second"] or 0), fraction, tzinfo=UTC)
    except ValueError as error:
        raise UnreadableTime from error
    offset = part.get("offset")
    return WallTime(microseconds(wall) - (_offset_us(offset) if offset else 0), is_local=not offset)


def _full_year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _offset_us(text: str) -> int:
    if text in "Zz":
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if hours > 23 or minutes > 59:
        raise UnreadableTime
    return (hours * 60 + minutes) * 60 * SECOND_US * (-1 if text[0] == "-" else 1)


def _from_format(text: str, time_format: str) -> WallTime:
    """Read a time with a format; names of months in other languages and "a. m." are understood."""
    zone_us, plain_text, plain_format = _zone_of_format(text, time_format)
    plain_text, is_end_of_day = without_end_of_day(plain_text)
    for candidate in (plain_text, english_names(plain_meridiem(plain_text))):
        try:
            instant = datetime.strptime(candidate, plain_format)  # noqa: DTZ007  (a wall time: the zone is applied later)
        except (ValueError, re.error):
            continue
        if instant.tzinfo is not None:  # a written offset has precedence over a zone's name
            return WallTime(microseconds(instant) + is_end_of_day * DAY_US, is_local=False)
        wall = microseconds(instant.replace(tzinfo=UTC)) + is_end_of_day * DAY_US
        return WallTime(wall, is_local=True) if zone_us is None else WallTime(wall - zone_us, is_local=False)
    raise UnreadableTime(f" with the format {time_format}")


def _zone_of_format(text: str, time_format: str) -> tuple[int | None, str, str]:
    """Return the offset of the zone at %Z in microseconds, and the text and the format without it.

    strptime only knows the names of the zone in which it runs, and would drop the others.
    """
    if "%Z" not in time_format:
        return None, text, time_format
    match = zone_word(text) or re.search(r"(?P<word>[A-Z]{2,5})(?=[+-]\d)", text)
    if match is None:
        raise UnreadableTime(f" with the format {time_format}: it names no zone")
    minutes = zone_minutes(match["word"])
    if minutes is None and "%z" not in time_format:
        raise UnreadableTime(f": the zone {match['word']} is not known, or has several meanings")
    plain_text = " ".join((text[: match.start()] + text[match.end() :]).split())
    plain_format = " ".join(time_format.replace("%Z", "").split())
    return None if minutes is None else minutes * 60 * SECOND_US, plain_text, plain_format


def _from_epoch(value: float | str) -> WallTime:
    """Read seconds, ms, µs or ns since 1970, distinguished by size (years 1973 to 5138)."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableTime
    number = Decimal(str(value))
    if abs(number) >= Decimal("1e20"):
        raise UnreadableTime
    if not isinstance(value, str) and _SERIAL.fullmatch(str(value)):
        raise UnreadableTime(f'; if it is a day in a spreadsheet, set the time format to "{EXCEL_SERIAL}"')
    units = ((Decimal("1e11"), SECOND_US), (Decimal("1e14"), 1000), (Decimal("1e17"), 1))
    scale = next((Decimal(scale) for limit, scale in units if abs(number) < limit), Decimal("0.001"))
    return WallTime(int(number * scale), is_local=False)
