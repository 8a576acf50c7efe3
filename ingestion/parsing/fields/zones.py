"""Recognise the time zone that a title, a line before the header or a member around JSON rows gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import quoted
from ingestion.parsing.values.written_times import known_zones, zone_minutes
from ingestion.sources.mapping import FieldMapping

TITLE = "their title gives"
BODY = "the body gives"
# Of entries before a header and members around JSON rows, in the canonical form.
ZONE_NAMES = frozenset(
    {
        "time_zone", "timezone", "tz", "utc_offset", "gmt_offset", "time_zone_offset", "timezone_offset", "zeitzone",
        "fuseau_horaire", "zona_horaria", "fuso_orario", "tijdzone", "tz_offset", "utcoffset", "offset_from_utc",
        "utc_offset_hours", "utc_offset_minutes",
    }
)  # fmt: skip
# Of a zone in a column of its own that is only an offset: "UTC" is put before it.
OFFSET_START = r"^[+\-−]\d"
_OFFSET_SECONDS = "utc_offset_seconds"
_UTC_OFFSET = re.compile(r"\b(?:UTC|GMT)(?:\s*(?P<sign>[+\-−])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?)?\b", re.I)
# Not "-300", which may be in minutes.
_OFFSET = re.compile(r"\s*(?P<sign>[+\-−])(?!\d{3}\s*$)(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?\s*")
_MERIDIEMS = frozenset({"am", "pm", "a.m.", "p.m.", "a. m.", "p. m."})
_ZONE_NAME = re.compile(r"\b[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/]+\b")
_ABBREVIATION = re.compile(r"(?<![A-Za-z])[A-Z]{3,4}(?![A-Za-z])")
# Abbreviations that are used for several zones, or in summer for another offset than the one they name.
_UNCLEAR = frozenset(
    {
        "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AKST", "AKDT", "HST", "AST", "ADT", "NST", "NDT",
        "BST", "IST", "SST", "ECT", "AMT", "GST", "PKT", "WIB", "HKT", "SGT",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GivenZone:
    """A zone that a body gives for its times. `zone` is None if its name has several meanings; `why` says where."""

    name: str
    zone: tzinfo | None
    why: str = TITLE

    @property
    def precedes_setting(self) -> bool:
        """Whether it applies even if a time zone is set."""
        return self.zone is not None and self.why == TITLE


def zone_in(text: str, why: str = TITLE) -> GivenZone | None:
    """Return the zone that a text names ("Date Time, GMT-08:00", "time_utc", "Europe/Berlin", "EST")."""
    for name in _ZONE_NAME.findall(text):
        if name in known_zones():
            return GivenZone(name, ZoneInfo(name), why)
    if match := _UTC_OFFSET.search(text):
        return _of_offset(match, why)
    if canonical(text).rpartition("_")[2] in ("utc", "gmt"):
        return GivenZone("UTC", timezone(timedelta(0)), why)
    for word in _ABBREVIATION.findall(text):
        if (minutes := zone_minutes(word)) is not None:
            return GivenZone(word, timezone(timedelta(minutes=minutes)), why)
        if word in _UNCLEAR:
            return GivenZone(word, None, why)
    return None


def with_zone(time: str, zone: str) -> str:
    """Return a time with the zone behind it that another field of its row gives."""
    zone = zone.strip()
    return f"{time} {'UTC' if re.match(OFFSET_START, zone) else ''}{zone}" if zone else time


def without_zone(title: str) -> str:
    """Return a time's title without the zone in it; "Data/Hora" only looks like one."""
    return _ZONE_NAME.sub(lambda name: "" if name[0] in known_zones() else name[0], _UTC_OFFSET.sub("", title))


def zone_entry(key: str, value: object) -> GivenZone | None:
    """Return the zone that an entry such as "Time zone: UTC+1" gives, None if it is no such entry."""
    name = canonical(key)
    if name == _OFFSET_SECONDS and isinstance(value, int) and abs(value) < 24 * 3600:
        offset = timezone(timedelta(seconds=value))
        return GivenZone(str(offset), offset, BODY)
    if name not in ZONE_NAMES or not isinstance(value, str):
        return None
    match = _OFFSET.fullmatch(value)
    return _of_offset(match, BODY) if match else zone_in(value, BODY)


def entries_of(members: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the members of an object and of those inside it."""
    yield from members.items()
    for member in members.values():
        if isinstance(member, Mapping):
            yield from member.items()


def zone_of_entries(entries: Iterable[tuple[str, object]]) -> GivenZone | None:
    """Return the zone that the first of some entries gives."""
    return next((zone for key, value in entries if (zone := zone_entry(key, value))), None)


@dataclass(frozen=True, slots=True)
class ZoneColumn:
    """The column with the zones of the times, None if none is used; why not, or a zone in it that is unclear."""

    position: int | None = None
    unclear: GivenZone | None = None
    note: str = ""


def zone_column(columns: Mapping[int, tuple[str, Sequence[str]]], mapping: FieldMapping) -> ZoneColumn:
    """Find the column with zones, or with AM and PM, among columns: titles and filled values by their positions.

    A mapping with a time zone or a time format precedes zones.
    """
    for position, (title, values) in columns.items():
        is_half = bool(values) and all(value.casefold() in _MERIDIEMS for value in values)
        if is_half and (not mapping.time_format or "%p" in mapping.time_format):
            return ZoneColumn(position)
        zones = [zone_entry(title, value) or GivenZone(value, None, BODY) for value in values]
        names = dict.fromkeys(zone.name for zone in zones)
        if canonical(title) not in ZONE_NAMES:
            continue
        if mapping.time_format or mapping.time_zone != "UTC":
            is_same = not names.keys() - {"UTC", "GMT", mapping.time_zone}
            note = (
                f"{quoted(title)} gives the zone {names_listed(names)}, which was not applied: times are read as"
                f" {mapping.time_zone}. Set the time zone."
            )
            return ZoneColumn(note="" if is_same else note)
        if unclear := next((zone for zone in zones if zone.zone is None), None):
            return ZoneColumn(unclear=unclear)
        return ZoneColumn(position)
    return ZoneColumn()


def local_title_note(title: str, mapping: FieldMapping) -> str:
    """Return the note that times that are called local are read as UTC, "" for other titles and with a time zone."""
    if "local" not in canonical(title).split("_") or mapping.time_zone != "UTC":
        return ""
    return f"The times of {quoted(title)} are read as UTC. Set the time zone."


def without_zone_note(title: str, zone: GivenZone | None) -> str:
    """Return the note that times are read as UTC, or as the zone of the body, where a column gives none."""
    return f"Times without a zone in {quoted(title)} are read as {zone.name if zone else 'UTC'}. Set the time zone."


def _of_offset(match: re.Match[str], why: str) -> GivenZone | None:
    offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    if offset >= timedelta(hours=24):
        return None
    zone = timezone(-offset if match["sign"] in ("-", "−") else offset)
    return GivenZone(str(zone), zone, why)
